def model(dbt, session):
    from orchestration.modelling.risk import risk_card, with_tiers

    dbt.config(materialized="table")
    features = dbt.ref("ftr_customer_risk")
    tiers = (
        dbt.ref("fct_customer_tiers").filter("is_default_scheme").project("customer_key, grade, valid_from, valid_to")
    )
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = risk_card(
        with_tiers(dbt.ref("score_risk_backtest").pl(), tiers.pl()),
        segments=["customer_kind", "customer_tier", "product_line", "province"],
        minimum_departures=int(thresholds["risk_minimum_departures"]) // 2,
        as_of=features.aggregate("max(as_of)").fetchone()[0],
    )
    return session.from_arrow(frame.to_arrow())
