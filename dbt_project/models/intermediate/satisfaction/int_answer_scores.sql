{{ config(materialized='view') }}

-- `score_100` puts every scale on 0 to 100 with high = good. A blank code is no answer, whatever number it is. The bounds of promoters and of satisfied
-- answers stand here once.
with scored as (
    select
        answers.source,
        answers.response_id,
        answers.question_id,
        answers.question_role,
        answers.construct,
        answers.item,
        answers.question_text,
        answers.responded_at,
        answers.answer_value,
        answers.answer_text,
        answers.blank_kind,
        answers.scale_min,
        answers.scale_max,
        answers.higher_is_better,
        answers.answer_value is not null and answers.blank_kind is null as is_valid,
        case
            when answers.blank_kind is null
                then 100.0 * case
                    when coalesce(answers.higher_is_better, true) then answers.answer_value - answers.scale_min
                    else answers.scale_max - answers.answer_value
                end / nullif(answers.scale_max - answers.scale_min, 0)
        end as score_100
    from {{ ref('int_survey_answers') }} as answers
    where answers._status = 'used'
)

select
    scored.*,
    scored.is_valid and scored.question_role = 'csat' as is_csat,
    scored.is_valid and scored.question_role = 'resolved' as is_resolved_answer,
    scored.is_valid and scored.question_role = 'resolved' and scored.score_100 > 50 as is_said_resolved,
    scored.is_valid and scored.question_role = 'csat' and scored.score_100 >= 100 * {{ threshold('csat_top2') }} as is_csat_satisfied,
    scored.is_valid and scored.question_role = 'csat' and scored.score_100 <= 100 * {{ threshold('csat_bottom2') }} as is_csat_dissatisfied,
    scored.is_valid and scored.question_role = 'ces' as is_ces,
    scored.is_valid and scored.question_role = 'ces' and scored.score_100 >= 100 * {{ threshold('ces_top2') }} as is_ces_easy,
    scored.is_valid and scored.question_role = 'nps' as is_nps,
    scored.is_valid and scored.question_role = 'nps' and scored.answer_value >= 9 as is_promoter,
    scored.is_valid and scored.question_role = 'nps' and scored.answer_value between 7 and 8 as is_passive,
    scored.is_valid and scored.question_role = 'nps' and scored.answer_value <= 6 as is_detractor,
    scored.is_valid and scored.question_role = 'awareness' as is_awareness_answer,
    scored.is_valid and scored.question_role = 'awareness' and scored.score_100 > 50 as is_aware,
    scored.is_valid and scored.question_role = 'favourability' as is_favourability_answer,
    scored.is_valid and scored.question_role = 'favourability' and scored.score_100 >= 100 * {{ threshold('favourable') }} as is_favourable
from scored
