"""Effects of actions on complaints from `ftr_improvement_actions` and `ftr_complaint_days`; see `orchestration.modelling.improvement`."""


def model(dbt, session):  # type: ignore[no-untyped-def]
    from orchestration.modelling.improvement import improvement_effects
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = improvement_effects(
        dbt.ref("ftr_improvement_actions").pl(),
        dbt.ref("ftr_complaint_days").pl(),
        compared_days=int(thresholds["improvement_days"]),
        dip_days=int(thresholds["improvement_dip_days"]),
        period_days=int(thresholds["improvement_period_days"]),
        minimum=int(thresholds["improvement_base"]),
    )
    return relation_of(session, frame, "score_improvement_effects")
