"""Agreement of reviewers from `ftr_reviewer_pairs`; see `orchestration.modelling.agreement`."""


def model(dbt, session):  # type: ignore[no-untyped-def]
    from orchestration.modelling.agreement import reviewer_agreement
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    pairs = dbt.ref("ftr_reviewer_pairs").pl()
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = reviewer_agreement(pairs, least=int(thresholds["agreement_base"]))
    return relation_of(session, frame, "score_reviewer_agreement")
