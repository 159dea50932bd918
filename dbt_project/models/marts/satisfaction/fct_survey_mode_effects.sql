select
    source,
    survey_id,
    question_role,
    mode,
    reference_mode,
    answers,
    mean_score,
    raw_difference,
    effect,
    standard_error,
    effect_low,
    effect_high,
    model_version,
    as_of
from {{ ref('score_mode_effects') }}
