def model(dbt, session):
    import polars as pl

    from orchestration.modelling import weights
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    classes = dbt.ref("ftr_survey_classes")
    rules = weights.rules_of(dbt.ref("survey_weighting").pl(), weights.facts_in(classes.columns))
    # Read one by one: the classes of years do not fit into memory at once. DuckDB's expressions of constants would import pandas.
    periods = [str(period) for (period,) in classes.select("period").distinct().order("period").fetchall()]
    of_period = ("period = '" + period.replace("'", "''") + "'" for period in periods)
    weighted, quality = weights.response_weights((classes.filter(condition).pl() for condition in of_period), rules)
    return relation_of(session, pl.concat([weighted, quality], how="diagonal"), "score_response_fits")
