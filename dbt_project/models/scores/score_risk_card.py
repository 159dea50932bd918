def model(dbt, session):
    from orchestration.modelling.risk import risk_card

    dbt.config(materialized="table")
    features = dbt.ref("ftr_customer_risk")
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = risk_card(
        dbt.ref("score_risk_backtest").pl(),
        segments=["customer_kind", "product_line", "province"],
        minimum_departures=int(thresholds["risk_minimum_departures"]) // 2,
        as_of=features.aggregate("max(as_of)").fetchone()[0],
    )
    return session.from_arrow(frame.to_arrow())
