def model(dbt, session):
    from orchestration.modelling.risk import risk_backtest

    dbt.config(materialized="table")
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = risk_backtest(
        dbt.ref("ftr_customer_risk").filter("has_left is not null").pl(),
        dbt.ref("score_risk_model").pl(),
        dbt.ref("risk_features").pl(),
        horizon_days=int(thresholds["risk_horizon"] // 86_400),
        minimum_departures=int(thresholds["risk_minimum_departures"]),
        test_dates=int(thresholds["risk_test_dates"]),
    )
    return session.from_arrow(frame.to_arrow())
