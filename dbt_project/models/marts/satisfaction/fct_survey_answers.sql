{{ config(materialized='view') }}

-- `score_100` puts every scale on 0 to 100 with high = good. The bounds of promoters and of satisfied answers stand here once.
with answers as (
    select
        answers.*,
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
    answers.source,
    answers.response_id,
    answers.question_id,
    responses.survey_id,
    responses.customer_key,
    responses.org_unit_id,
    {{ or_unknown('responses.customer_kind') }} as customer_kind,
    {{ or_unknown('responses.survey_kind') }} as survey_kind,
    {{ or_unknown('responses.wave') }} as wave,
    {{ or_unknown('responses.channel') }} as channel,
    {{ or_unknown('responses.touch_point') }} as touch_point,
    {{ or_unknown('responses.product_line') }} as product_line,
    answers.question_role,
    answers.construct,
    answers.answer_value,
    answers.blank_kind,
    answers.scale_min,
    answers.scale_max,
    answers.score_100,
    responses.base_weight,
    answers.is_valid,
    answers.is_valid and answers.question_role = 'csat' as is_csat,
    answers.is_valid and answers.question_role = 'resolved' as is_resolved_answer,
    answers.is_valid and answers.question_role = 'resolved' and answers.score_100 > 50 as is_said_resolved,
    answers.is_valid and answers.question_role = 'csat' and answers.score_100 >= 100 * {{ threshold('csat_top2') }} as is_csat_satisfied,
    answers.is_valid and answers.question_role = 'ces' as is_ces,
    answers.is_valid and answers.question_role = 'nps' as is_nps,
    answers.is_valid and answers.question_role = 'nps' and answers.answer_value >= 9 as is_promoter,
    answers.is_valid and answers.question_role = 'nps' and answers.answer_value between 7 and 8 as is_passive,
    answers.is_valid and answers.question_role = 'nps' and answers.answer_value <= 6 as is_detractor,
    responses.response_id is null as is_orphan_response,
    answers.responded_at,
    coalesce(responses.responded_on, {{ local_day('answers.responded_at', 'null') }}) as responded_on
from answers
left join {{ ref('fct_survey_responses') }} as responses
    on answers.source = responses.source and answers.response_id = responses.response_id
