-- Items of a survey as questions and as dimensions (the questions of one construct together), with what the respondent said of their importance and
-- of the whole. Answers are on 0 to 100, high = good, so reversed items have been turned round before.
with answers as (
    select
        answers.*,
        concat(answers.scale_min, '-', answers.scale_max) as scale
    from {{ ref('fct_survey_answers') }} as answers
    where answers.is_valid and not answers.is_orphan_response and answers.score_100 is not null
),

overall as (
    select
        source,
        response_id,
        avg(score_100) as overall
    from answers
    where question_role = 'csat'
    group by source, response_id
),

importance as (
    select
        source,
        response_id,
        construct,
        avg(score_100) as stated
    from answers
    where question_role = 'importance' and construct is not null
    group by source, response_id, construct
),

rated as (
    select * from answers
    where question_role in ('perception', 'rating', 'resolved', 'other')
),

items as (
    select
        rated.source,
        rated.response_id,
        'question' as item_level,
        rated.question_id as item,
        rated.construct,
        rated.construct as item_dimension,
        rated.scale,
        rated.score_100 as performance
    from rated
    union all
    select
        rated.source,
        rated.response_id,
        'dimension' as item_level,
        rated.construct as item,
        rated.construct,
        cast(null as varchar) as item_dimension,
        max(rated.scale) as scale,
        avg(rated.score_100) as performance
    from rated
    where rated.construct is not null
    group by rated.source, rated.response_id, rated.construct
),

final as (
    select
        items.source,
        items.response_id,
        items.item_level,
        items.item,
        items.item_dimension,
        responses.survey_id,
        responses.survey_kind,
        coalesce(responses.customer_key, concat(items.source, ':', items.response_id)) as cluster,
        items.scale,
        items.performance,
        importance.stated,
        overall.overall,
        responses.responded_on
    from items
    inner join {{ ref('fct_survey_responses') }} as responses on items.source = responses.source and items.response_id = responses.response_id
    left join importance
        on items.source = importance.source and items.response_id = importance.response_id and items.construct = importance.construct
    left join overall on items.source = overall.source and items.response_id = overall.response_id
)

-- Without a stated importance and without an overall answer nothing tells how much an item matters.
select * from final
where stated is not null or overall is not null
