{{ config(materialized='view') }}

-- `score_100` puts every scale on 0 to 100 with high = good. A blank code is no answer, whatever number it is.
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
