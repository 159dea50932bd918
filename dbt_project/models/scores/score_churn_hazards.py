def model(dbt, session):
    from orchestration.modelling.survival import churn_hazards

    dbt.config(materialized="table")
    spells = dbt.ref("ftr_survival_spells").pl()
    as_of = dbt.ref("ftr_line_stretches").aggregate("max(known_until)").fetchone()[0]
    thresholds = dict(dbt.ref("service_thresholds").project("threshold, value").fetchall())
    frame = churn_hazards(spells, as_of=as_of, least=int(thresholds["hazard_minimum_departures"]))
    return session.from_arrow(frame.to_arrow())
