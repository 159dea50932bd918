"""Scores, intervals and places of agents from `ftr_agent_quality_months`; see `orchestration.modelling.quality`."""


def model(dbt, session):  # type: ignore[no-untyped-def]
    from orchestration.modelling.quality import agent_months
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    months = dbt.ref("ftr_agent_quality_months").pl()
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = agent_months(months, least=int(thresholds["quality_month_base"]))
    return relation_of(session, frame, "score_agent_quality_months")
