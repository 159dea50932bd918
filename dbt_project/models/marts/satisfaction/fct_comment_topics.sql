{{ config(materialized='view') }}

with answers as (
    select
        source,
        response_id,
        count(*) filter (where is_csat) as csat_answers,
        count(*) filter (where is_csat_satisfied) as csat_satisfied,
        coalesce(sum(score_100) filter (where is_csat), 0) as csat_score_sum,
        count(*) filter (where is_nps) as nps_answers,
        count(*) filter (where is_promoter) as nps_promoters,
        count(*) filter (where is_detractor) as nps_detractors
    from {{ ref('int_answer_scores') }}
    where is_csat or is_nps
    group by source, response_id
)

select
    topics.source,
    topics.response_id,
    topics.topic as comment_topic,
    responses.survey_id,
    responses.customer_key,
    responses.org_unit_id,
    responses.customer_kind,
    responses.survey_kind,
    responses.about_kind,
    responses.channel,
    responses.touch_point,
    responses.product_line,
    responses.language,
    topics.topic_rank,
    topics.topics,
    topics.topic_rank = 1 as is_first_topic,
    coalesce(answers.csat_answers, 0) as csat_answers,
    coalesce(answers.csat_satisfied, 0) as csat_satisfied,
    coalesce(answers.csat_score_sum, 0) as csat_score_sum,
    coalesce(answers.nps_answers, 0) as nps_answers,
    coalesce(answers.nps_promoters, 0) as nps_promoters,
    coalesce(answers.nps_detractors, 0) as nps_detractors,
    responses.responded_at,
    responses.responded_on
from {{ ref('ftr_comment_topics') }} as topics
inner join {{ ref('fct_survey_responses') }} as responses on topics.source = responses.source and topics.response_id = responses.response_id
left join answers on topics.source = answers.source and topics.response_id = answers.response_id
