def model(dbt, session):
    from orchestration.modelling import causes
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    evidence = dbt.ref("ftr_complaint_evidence")
    dbt.ref("int_complaint_texts")
    dbt.ref("score_complaint_causes")
    limits = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = causes.find_candidates(
        session,
        schema=f'"{dbt.this.database}".causes',
        evidence=f'"{dbt.this.database}".features.ftr_complaint_evidence',
        texts=f'"{dbt.this.database}".intermediate.int_complaint_texts',
        answers=f'"{dbt.this.database}".scores.score_complaint_causes',
        as_of=evidence.aggregate("max(as_of)").fetchone()[0],
        limits=causes.Limits.of(limits),
        days=int(limits["cause_candidate_days"]),
        least=int(limits["cause_candidate_size"]),
    )
    return relation_of(session, frame, "score_cause_candidates")
