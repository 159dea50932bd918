def model(dbt, session):
    from orchestration.modelling import causes
    from orchestration.score_tables import relation_of

    dbt.config(materialized="table")
    evidence = dbt.ref("ftr_complaint_evidence")
    dbt.ref("int_complaint_texts")
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = causes.keep_model(
        session,
        schema=f'"{dbt.this.database}".causes',
        evidence=f'"{dbt.this.database}".features.ftr_complaint_evidence',
        texts=f'"{dbt.this.database}".intermediate.int_complaint_texts',
        as_of=evidence.aggregate("max(as_of)").fetchone()[0],
        limits=causes.Limits.of(thresholds),
    )
    return relation_of(session, frame, "score_cause_model")
