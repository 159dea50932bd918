def model(dbt, session):
    from orchestration.modelling.drivers import satisfaction_drivers
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    answers = dbt.ref("ftr_satisfaction_drivers").pl()
    factors = dbt.ref("satisfaction_factors").pl()
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = satisfaction_drivers(
        answers,
        factors,
        minimum_base=int(thresholds["drivers_minimum_base"]),
        least_known=thresholds["drivers_least_known"],
    )
    return relation_of(session, frame, "score_satisfaction_drivers")
