def model(dbt, session):
    import duckdb

    from orchestration.modelling import weights

    dbt.config(materialized="table")
    classes = dbt.ref("ftr_survey_classes")
    rules = weights.rules_of(dbt.ref("survey_weighting").pl(), weights.facts_in(classes.columns))
    # Read one by one: the classes of years do not fit into memory at once.
    periods = classes.select("period").distinct().order("period").fetchall()
    of_period = (duckdb.ColumnExpression("period") == duckdb.ConstantExpression(period) for (period,) in periods)
    weighted, _ = weights.response_weights((classes.filter(condition).pl() for condition in of_period), rules)
    return session.from_arrow(weighted.to_arrow())
