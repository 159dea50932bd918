def model(dbt, session):
    from orchestration.modelling import weights

    dbt.config(materialized="table")
    classes = dbt.ref("ftr_survey_classes")
    rules = weights.rules_of(dbt.ref("survey_weighting").pl(), weights.facts_in(classes.columns))
    _, quality = weights.response_weights(weights.periods_of(classes), rules)
    return session.from_arrow(quality.to_arrow())
