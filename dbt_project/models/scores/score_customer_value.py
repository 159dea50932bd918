def model(dbt, session):
    from orchestration.modelling.lifetime import customer_values

    dbt.config(materialized="table")
    purchases = dbt.ref("ftr_purchase_histories").pl()
    contracts = dbt.ref("ftr_contract_lives").pl()
    frame = customer_values(purchases, contracts, dbt.ref("score_value_parameters").pl(), dbt.ref("value_rules").pl())
    return session.from_arrow(frame.to_arrow())
