{{ config(materialized='view') }}

select
    source,
    survey_id,
    period,
    invitation_class,
    sent,
    delivered,
    answered,
    model_state,
    propensity,
    nonresponse_weight,
    raking_factor,
    adjustment,
    is_trimmed,
    model_version,
    as_of
from {{ ref('score_response_fits') }}
where figure is null
