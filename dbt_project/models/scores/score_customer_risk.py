def model(dbt, session):
    import polars as pl

    from orchestration.modelling.risk import in_chunks

    dbt.config(materialized="table")
    current = dbt.ref("ftr_customer_risk").filter("is_current")
    table = dbt.ref("score_risk_model").pl()
    seed = dbt.ref("risk_features").project("feature").fetchall()
    columns = ", ".join(["as_of", "customer_key", *sorted(name for (name,) in seed)])

    def batches():
        for batch in current.project(columns).to_arrow_reader(500_000):
            yield pl.from_arrow(batch)

    return session.from_arrow(in_chunks(batches, table).to_arrow())
