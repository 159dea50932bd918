{{ config(materialized='view') }}

select
    scores.population,
    scores.factor_set,
    scores.period_kind,
    scores.period_start,
    scores.period_end,
    scores.factor,
    factors.unit as factor_unit,
    scores.answers,
    scores.answers_on_other_scales,
    scores.answers_used,
    scores.customers,
    scores.factor_unknown,
    scores.factor_mean,
    scores.coefficient,
    scores.coefficient_low,
    scores.coefficient_high,
    scores.effect_sign,
    scores.standardised,
    scores.standardised_low,
    scores.standardised_high,
    scores.share,
    scores.share_low,
    scores.share_high,
    scores.share_of_explained,
    scores.share_rank,
    scores.r_squared,
    scores.reason,
    scores.model_version,
    scores.as_of
from {{ ref('score_satisfaction_drivers') }} as scores
left join {{ ref('satisfaction_factors') }} as factors on scores.factor = factors.factor
