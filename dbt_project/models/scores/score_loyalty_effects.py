def model(dbt, session):
    from orchestration.modelling.loyalty import satisfaction_effects

    dbt.config(materialized="table")
    pairs = dbt.ref("ftr_loyalty_lags").pl()
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = satisfaction_effects(pairs, minimum_base=int(thresholds["loyalty_effect_base"]))
    return session.from_arrow(frame.to_arrow())
