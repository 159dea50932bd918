def model(dbt, session):
    from orchestration.modelling.importance_performance import importance_performance

    dbt.config(materialized="table")
    items = dbt.ref("ftr_survey_items").pl()
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = importance_performance(items, minimum_base=int(thresholds["importance_minimum_base"]))
    return session.from_arrow(frame.to_arrow())
