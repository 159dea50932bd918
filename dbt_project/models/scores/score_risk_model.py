def model(dbt, session):
    from orchestration.modelling.risk import risk_model

    dbt.config(materialized="table")
    features = dbt.ref("ftr_customer_risk")
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = risk_model(
        features.filter("has_left is not null").pl(),
        dbt.ref("ftr_customer_risk_check").pl(),
        dbt.ref("risk_features").pl(),
        as_of=features.aggregate("max(as_of)").fetchone()[0],
        horizon_days=int(thresholds["risk_horizon"] // 86_400),
        minimum_departures=int(thresholds["risk_minimum_departures"]),
        auc_limit=thresholds["risk_leak_auc"],
    )
    return session.from_arrow(frame.to_arrow())
