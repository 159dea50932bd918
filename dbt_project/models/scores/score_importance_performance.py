def model(dbt, session):
    from orchestration.modelling.importance_performance import importance_performance
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    sums = dbt.ref("ftr_survey_item_sums").pl()
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = importance_performance(sums, minimum_base=int(thresholds["importance_minimum_base"]))
    return relation_of(session, frame, "score_importance_performance")
