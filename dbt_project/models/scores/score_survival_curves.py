def model(dbt, session):
    from orchestration.modelling.survival import survival_curves

    dbt.config(materialized="table")
    spells = dbt.ref("ftr_survival_spells").pl()
    as_of = dbt.ref("ftr_line_stretches").aggregate("max(known_until)").fetchone()[0]
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = survival_curves(spells, as_of=as_of, least=int(thresholds["survival_minimum_base"]))
    return session.from_arrow(frame.to_arrow())
