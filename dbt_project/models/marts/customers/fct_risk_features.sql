{{ config(materialized='view') }}

select
    scores.feature,
    cast(scores.bin as integer) as bin_number,
    scores.value_kind,
    scores.reason,
    scores.above,
    scores.category,
    scores.points,
    scores.customers as customer_days,
    scores.departures,
    scores.single_auc,
    scores.verdict,
    scores.message,
    scores.model_version,
    scores.as_of
from {{ ref('score_risk_model') }} as scores
