def model(dbt, session):
    from orchestration.modelling import causes

    dbt.config(materialized="table")
    dbt.ref("ftr_complaint_evidence")
    dbt.ref("int_complaint_texts")
    dbt.ref("score_cause_model")
    return session.sql(
        causes.keep_answers(
            session,
            schema=f'"{dbt.this.database}".causes',
            evidence=f'"{dbt.this.database}".features.ftr_complaint_evidence',
            texts=f'"{dbt.this.database}".intermediate.int_complaint_texts',
        )
    )
