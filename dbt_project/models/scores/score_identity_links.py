def model(dbt, session):
    from orchestration.modelling.identity import Inputs, Thresholds, link_customers

    dbt.config(materialized="table")
    # Read by name in SQL, so that only what is new is read whole.
    dbt.ref("ftr_identity_received")
    dbt.ref("ftr_identity_records")
    dbt.ref("ftr_identity_identifiers")
    dbt.ref("identity_overrides")
    limits = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    home = dbt.source("raw_meta", "home").project("salt").fetchone()
    loaded_at = dbt.source("raw_meta", "files").aggregate("max(loaded_at)").fetchone()
    database = dbt.this.database
    schema = f"{database}.identity"
    changed_at = f"cast('{loaded_at[0]}' as timestamp)" if loaded_at[0] else "cast(null as timestamp)"
    link_customers(
        session,
        Inputs(
            received=f"{database}.features.ftr_identity_received",
            customers=f"{database}.features.ftr_identity_records",
            identifiers=f"{database}.features.ftr_identity_identifiers",
            overrides=f"{database}.seeds.identity_overrides",
            parameters=dbt.ref("identity_model").pl(),
            salt=home[0],
            loaded_at=changed_at,
        ),
        Thresholds(
            shared_phone=int(limits["shared_phone_limit"]),
            shared_email=int(limits["shared_email_limit"]),
            shared_number=int(limits["shared_strong_limit"]),
            block=int(limits["identity_block_limit"]),
            link=limits["identity_link_probability"],
            candidate=limits["identity_candidate_probability"],
        ),
        schema=schema,
    )
    return session.sql(
        "select a.source, a.customer_id, b.source as other_source, b.customer_id as other_customer_id, s.probability, s.match_weight, s.evidence, s.model_version,"
        f" cast({changed_at} as date) as as_of,"
        f" j.node is not null as is_linked, s.probability >= {limits['identity_link_probability']} and j.node is null as is_ambiguous"
        f" from {schema}.scores as s inner join {schema}.nodes as a on s.node = a.node inner join {schema}.nodes as b on s.other = b.node"
        f" left join {schema}.joins as j on s.node = j.node and s.other = j.other and j.method = 'scored'"
    )
