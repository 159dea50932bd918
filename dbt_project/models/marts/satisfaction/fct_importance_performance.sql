{{ config(materialized='view') }}

with questions as (
    select
        source,
        question_id,
        {{ last_value_of('question_text', 'responded_at') }} filter (where question_text is not null) as question_text
    from {{ ref('int_survey_answers') }}
    where _status = 'used'
    group by source, question_id
)

select
    scores.source,
    scores.survey_id,
    scores.survey_kind,
    scores.period_start,
    scores.period_end,
    scores.item_level,
    scores.importance_kind,
    scores.item,
    scores.item_dimension,
    questions.question_text,
    scores.respondents,
    scores.answers_on_other_scales,
    scores.performance,
    scores.performance_low,
    scores.performance_high,
    scores.importance,
    scores.importance_low,
    scores.importance_high,
    scores.cross_hairs,
    scores.performance_line,
    scores.importance_line,
    scores.performance_distance,
    scores.importance_distance,
    scores.nearest_line,
    scores.nearest_distance,
    scores.quadrant,
    scores.quadrant_probability,
    scores.reason,
    scores.model_version,
    scores.as_of
from {{ ref('score_importance_performance') }} as scores
left join questions on scores.source = questions.source and scores.item = questions.question_id and scores.item_level = 'question'
