"""Agents needed and rostered by queue, kind of day and half hour from `ftr_queue_half_hours`; see `orchestration.modelling.staffing`."""


def model(dbt, session):  # type: ignore[no-untyped-def]
    from orchestration.modelling.staffing import staffing_by_day_type
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    frame = staffing_by_day_type(dbt.ref("ftr_queue_half_hours").pl())
    return relation_of(session, frame, "score_staffing")
