def model(dbt, session):
    from orchestration.modelling import weights

    dbt.config(materialized="table")
    classes = dbt.ref("ftr_survey_classes").pl().drop("first_day")
    facts = [name for name in classes.columns if name not in (*weights.KEY, *weights.COUNTS)]
    rules = weights.rules_of(dbt.ref("survey_weighting").pl(), facts)
    _, quality = weights.response_weights(classes, rules)
    return session.from_arrow(quality.to_arrow())
