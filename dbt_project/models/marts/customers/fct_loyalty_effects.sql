{{ config(materialized='view') }}

select
    effects.outcome,
    effects.segment_kind,
    effects.segment,
    effects.pairs,
    effects.customers,
    effects.effect,
    effects.effect_low,
    effects.effect_high,
    effects.raw_effect,
    effects.persistence,
    effects.mean_satisfaction,
    effects.mean_after,
    effects.reason,
    effects.model_version,
    effects.as_of
from {{ ref('score_loyalty_effects') }} as effects
