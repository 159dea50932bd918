def model(dbt, session):
    from orchestration.modelling.lifetime import value_parameters

    dbt.config(materialized="table")
    purchases = dbt.ref("ftr_purchase_histories").pl()
    contracts = dbt.ref("ftr_contract_lives").pl()
    frame = value_parameters(purchases, contracts, dbt.ref("value_rules").pl())
    return session.from_arrow(frame.to_arrow())
