{{ config(materialized='view') }}

select
    scores.source,
    scores.customer_key,
    scores.relation,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    customers.org_unit_id,
    {{ or_unknown('scores.currency') }} as currency,
    scores.probability_alive,
    scores.expected_purchases,
    scores.expected_contract_months,
    scores.expected_amount,
    scores.expected_revenue,
    scores.expected_margin,
    scores.lifetime_value,
    scores.lifetime_value_low,
    scores.lifetime_value_high,
    cast(scores.horizon_months as integer) as horizon_months,
    scores.reason,
    scores.model_version,
    scores.as_of
from {{ ref('score_customer_value') }} as scores
left join {{ ref('dim_customers') }} as customers on scores.customer_key = customers.customer_key
