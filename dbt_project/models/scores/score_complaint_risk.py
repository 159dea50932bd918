"""Who is likely to complain again, from `ftr_complaint_risk`; see `orchestration.modelling.complaint_risk`."""


def model(dbt, session):  # type: ignore[no-untyped-def]
    from orchestration.modelling.complaint_risk import complaint_risk
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = complaint_risk(
        dbt.ref("ftr_complaint_risk").filter("has_again is not null or is_current").pl(),
        horizon_days=int(thresholds["complaint_risk_days"]),
        minimum=int(thresholds["complaint_risk_minimum"]),
    )
    return relation_of(session, frame, "score_complaint_risk")
