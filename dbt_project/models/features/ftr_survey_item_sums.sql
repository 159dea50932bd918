-- Items of a survey as questions and as dimensions (the questions of one construct together), with what the respondent said of their importance and
-- of the whole. Answers are on 0 to 100, high = good, so reversed items have been turned round before; 50 is taken off, so that sums of squares keep
-- their digits. All that an importance-performance matrix and its bootstrap need are sums over blocks of respondents, so no answer leaves this query.
with responses as (
    select
        responses.source,
        responses.response_id,
        responses.survey_id,
        responses.survey_kind,
        coalesce(responses.customer_key, concat(responses.source, ':', responses.response_id)) as cluster,
        responses.responded_on
    from {{ ref('fct_survey_responses') }} as responses
),

surveys as materialized (
    select
        source,
        survey_id,
        max(survey_kind) as survey_kind,
        max(responded_on) as period_end,
        cast({{ months_before('(max(responded_on) + 1)', 12) }} as date) as period_start,
        cast(row_number() over (order by source, survey_id) as integer) as survey_no
    from responses
    group by source, survey_id
),

-- Short numbers in the place of long names: all that follows is counted by them.
questions as materialized (
    select
        answers.source,
        answers.question_id,
        answers.question_role,
        answers.construct,
        answers.scale_min,
        answers.scale_max,
        answers.question_role = 'csat' as is_overall,
        answers.question_role = 'importance' as is_importance,
        cast(dense_rank() over (order by concat(answers.scale_min, '-', answers.scale_max)) as integer) as scale_no,
        cast(dense_rank() over (order by answers.source, answers.question_id) as integer) as item_no,
        cast(case when answers.construct is not null then dense_rank() over (order by answers.source, answers.construct) end as integer) as construct_no
    from {{ ref('int_answer_scores') }} as answers
    where
        answers.is_valid
        and answers.score_100 is not null
        and answers.question_role in ('csat', 'importance', 'perception', 'rating', 'resolved', 'other')
    group by answers.source, answers.question_id, answers.question_role, answers.construct, answers.scale_min, answers.scale_max
),

-- Customers are dealt out to blocks of one size by lot; few enough are a block each.
blocks as (
    select
        surveys.survey_no,
        responses.cluster,
        cast((row_number() over (partition by surveys.survey_no order by {{ lot_of('responses.cluster') }}, responses.cluster) - 1) % 500 as smallint) as block
    from responses
    inner join surveys on responses.source = surveys.source and responses.survey_id is not distinct from surveys.survey_id
    group by surveys.survey_no, responses.cluster
),

numbered as materialized (
    select
        responses.source,
        responses.response_id,
        responses.responded_on,
        surveys.survey_no,
        blocks.block,
        cast(row_number() over () as integer) as response_no
    from responses
    inner join surveys on responses.source = surveys.source and responses.survey_id is not distinct from surveys.survey_id
    inner join blocks on surveys.survey_no = blocks.survey_no and responses.cluster = blocks.cluster
    where responses.responded_on >= surveys.period_start
),

answers as materialized (
    select
        numbered.response_no,
        numbered.survey_no,
        numbered.block,
        numbered.responded_on,
        questions.is_overall,
        questions.is_importance,
        questions.item_no,
        questions.construct_no,
        questions.scale_no,
        answers.score_100 - 50 as score
    from {{ ref('int_answer_scores') }} as answers
    inner join questions
        on
            answers.source = questions.source
            and answers.question_id = questions.question_id
            and answers.question_role = questions.question_role
            and answers.construct is not distinct from questions.construct
            and answers.scale_min = questions.scale_min
            and answers.scale_max = questions.scale_max
    inner join numbered on answers.source = numbered.source and answers.response_id = numbered.response_id
    where answers.is_valid and answers.score_100 is not null
),

overall as materialized (
    select
        response_no,
        avg(score) as score
    from answers
    where is_overall
    group by response_no
),

importance as (
    select
        response_no,
        construct_no,
        avg(score) as score
    from answers
    where is_importance and construct_no is not null
    group by response_no, construct_no
),

items as (
    select
        response_no,
        survey_no,
        block,
        responded_on,
        cast(1 as tinyint) as level_no,
        item_no,
        construct_no,
        scale_no,
        score
    from answers
    where not is_overall and not is_importance
    union all
    select
        response_no,
        survey_no,
        block,
        responded_on,
        2 as level_no,
        construct_no as item_no,
        construct_no,
        max(scale_no) as scale_no,
        avg(score) as score
    from answers
    where not is_overall and not is_importance and construct_no is not null
    group by response_no, survey_no, block, responded_on, construct_no
),

-- Without a stated importance and without an overall answer nothing tells how much an item matters.
rated as materialized (
    select
        items.*,
        importance.score as stated,
        overall.score as overall
    from items
    left join importance on items.response_no = importance.response_no and items.construct_no = importance.construct_no
    left join overall on items.response_no = overall.response_no
    where importance.score is not null or overall.score is not null
),

-- The scale of the item's newest answer; answers on another one are counted and left out.
scale_days as (
    select
        rated.survey_no,
        rated.level_no,
        rated.item_no,
        rated.construct_no,
        rated.scale_no,
        rated.responded_on,
        count(*) as answers,
        max(rated.response_no) as response_no
    from rated
    group by rated.survey_no, rated.level_no, rated.item_no, rated.construct_no, rated.scale_no, rated.responded_on
),

newest as (
    select
        scale_days.survey_no,
        scale_days.level_no,
        scale_days.item_no,
        {{ last_value_of('scale_days.scale_no', sort_key(['scale_days.responded_on', 'numbered.response_id'])) }} as scale_no,
        {{ last_value_of('coalesce(scale_days.construct_no, 0)', sort_key(['scale_days.responded_on', 'numbered.response_id'])) }} as construct_no
    from scale_days
    inner join numbered on scale_days.response_no = numbered.response_no
    group by scale_days.survey_no, scale_days.level_no, scale_days.item_no
),

others as (
    select
        scale_days.survey_no,
        scale_days.level_no,
        scale_days.item_no,
        sum(scale_days.answers) as answers
    from scale_days
    inner join newest on scale_days.survey_no = newest.survey_no and scale_days.level_no = newest.level_no and scale_days.item_no = newest.item_no
    where scale_days.scale_no <> newest.scale_no
    group by scale_days.survey_no, scale_days.level_no, scale_days.item_no
),

singles as materialized (
    select
        rated.survey_no,
        rated.level_no,
        rated.item_no,
        rated.scale_no,
        rated.block,
        count(*) as respondents,
        sum(rated.score) as score_sum,
        min(rated.score) as lowest,
        max(rated.score) as highest,
        count(rated.stated) as stated_respondents,
        sum(rated.stated) as stated_sum,
        count(rated.overall) as answers,
        sum(rated.score) filter (where rated.overall is not null) as item_sum,
        sum(rated.score * rated.score) filter (where rated.overall is not null) as item_times_other,
        sum(rated.overall) as overall_sum,
        sum(rated.overall * rated.overall) as overall_squares,
        sum(rated.score * rated.overall) as item_times_overall
    from rated
    inner join newest
        on
            rated.survey_no = newest.survey_no
            and rated.level_no = newest.level_no
            and rated.item_no = newest.item_no
            and rated.scale_no = newest.scale_no
    group by rated.survey_no, rated.level_no, rated.item_no, rated.scale_no, rated.block
),

-- Shares of the variance of the overall answer need respondents who rated every item that is in them: an item with few answers or without spread is not.
shared as (
    select
        singles.survey_no,
        singles.level_no,
        singles.item_no,
        singles.scale_no,
        cast(count(*) over (partition by singles.survey_no, singles.level_no) as integer) as items
    from singles
    group by singles.survey_no, singles.level_no, singles.item_no, singles.scale_no
    having
        sum(singles.respondents) >= greatest({{ threshold('importance_minimum_base') }}, 1)
        and max(singles.highest) - min(singles.lowest) > 1e-9
),

sharing as materialized (
    select
        rated.survey_no,
        rated.response_no,
        rated.level_no,
        rated.item_no,
        rated.block,
        rated.score,
        rated.overall,
        shared.items
    from rated
    inner join shared
        on
            rated.survey_no = shared.survey_no
            and rated.level_no = shared.level_no
            and rated.item_no = shared.item_no
            and rated.scale_no = shared.scale_no
    where rated.overall is not null and shared.items <= 15
),

complete as (
    select
        response_no,
        level_no
    from sharing
    group by response_no, level_no
    having count(*) = max(items)
),

pairs as (
    select
        one.survey_no,
        one.level_no,
        one.item_no,
        other.item_no as other_no,
        one.block,
        count(*) as answers,
        sum(one.score) as item_sum,
        sum(one.score * other.score) as item_times_other,
        sum(one.overall) as overall_sum,
        sum(one.overall * one.overall) as overall_squares,
        sum(one.score * one.overall) as item_times_overall
    from sharing as one
    inner join complete on one.response_no = complete.response_no and one.level_no = complete.level_no
    inner join sharing as other
        on one.response_no = other.response_no and one.level_no = other.level_no and one.item_no <= other.item_no
    group by one.survey_no, one.level_no, one.item_no, other.item_no, one.block
),

item_names as (
    select distinct
        1 as level_no,
        item_no,
        question_id as item
    from questions
    union all
    select distinct
        2 as level_no,
        construct_no as item_no,
        construct as item
    from questions
    where construct_no is not null
),

together as (
    select
        survey_no,
        level_no,
        item_no,
        cast(null as bigint) as other_no,
        block,
        respondents,
        score_sum,
        lowest,
        highest,
        stated_respondents,
        stated_sum,
        answers,
        item_sum,
        item_times_other,
        overall_sum,
        overall_squares,
        item_times_overall
    from singles
    union all by name
    select * from pairs
)

select
    surveys.source,
    surveys.survey_id,
    surveys.survey_kind,
    surveys.period_start,
    surveys.period_end,
    case together.level_no when 1 then 'question' else 'dimension' end as item_level,
    item_names.item,
    case when together.level_no = 1 then dimensions.item end as item_dimension,
    other_names.item as other_item,
    cast(coalesce(others.answers, 0) as bigint) as answers_on_other_scales,
    together.block,
    together.respondents,
    together.score_sum,
    together.lowest,
    together.highest,
    together.stated_respondents,
    together.stated_sum,
    together.answers,
    together.item_sum,
    together.item_times_other,
    together.overall_sum,
    together.overall_squares,
    together.item_times_overall
from together
inner join surveys on together.survey_no = surveys.survey_no
inner join newest on together.survey_no = newest.survey_no and together.level_no = newest.level_no and together.item_no = newest.item_no
inner join item_names on together.level_no = item_names.level_no and together.item_no = item_names.item_no
left join item_names as dimensions on dimensions.level_no = 2 and newest.construct_no = dimensions.item_no
left join item_names as other_names on together.level_no = other_names.level_no and together.other_no = other_names.item_no
left join others on together.survey_no = others.survey_no and together.level_no = others.level_no and together.item_no = others.item_no
