-- Expectation and perception of one item are a pair; where a source names no items, the means of a dimension are one. Only whole pairs count.
with pairs as (
    select
        source,
        response_id,
        construct as dimension,
        item,
        avg(score_100) filter (where question_role = 'expectation') as expectation_100,
        avg(score_100) filter (where question_role = 'perception') as perception_100,
        max(scale_max - scale_min) filter (where question_role = 'perception') as scale_points
    from {{ ref('int_answer_scores') }}
    where question_role in ('expectation', 'perception') and is_valid and construct is not null
    group by all
),

dimensions as (
    select
        source,
        response_id,
        dimension,
        count(*) as pairs,
        avg(expectation_100) as expectation_100,
        avg(perception_100) as perception_100,
        avg(perception_100 - expectation_100) as gap_100,
        avg((perception_100 - expectation_100) / 100 * scale_points) as gap_points
    from pairs
    where expectation_100 is not null and perception_100 is not null
    group by all
),

importance as (
    select
        source,
        response_id,
        construct as dimension,
        avg(score_100) as importance_100
    from {{ ref('int_answer_scores') }}
    where question_role = 'importance' and is_valid and construct is not null
    group by all
),

-- A respondent's weights count when all dimensions that he judged have one and they are not all nothing; else each counts the same.
weighed as (
    select
        dimensions.*,
        importance.importance_100,
        count(*) over respondent as dimensions_judged,
        sum(importance.importance_100) over respondent as importance_sum,
        count(importance.importance_100) over respondent = count(*) over respondent
        and sum(importance.importance_100) over respondent > 0 as is_importance_stated
    from dimensions
    left join importance
        on dimensions.source = importance.source and dimensions.response_id = importance.response_id and dimensions.dimension = importance.dimension
    window respondent as (partition by dimensions.source, dimensions.response_id)
)

select
    weighed.source,
    weighed.response_id,
    weighed.dimension,
    responses.survey_id,
    responses.customer_key,
    responses.org_unit_id,
    responses.customer_kind,
    responses.survey_kind,
    responses.wave,
    responses.channel,
    responses.product_line,
    cast(weighed.pairs as integer) as pairs,
    weighed.expectation_100,
    weighed.perception_100,
    weighed.gap_100,
    weighed.gap_points,
    weighed.importance_100,
    case
        when weighed.is_importance_stated then weighed.importance_100 / nullif(weighed.importance_sum, 0)
        else 1.0 / weighed.dimensions_judged
    end as importance_share,
    weighed.is_importance_stated,
    responses.responded_on
from weighed
inner join {{ ref('fct_survey_responses') }} as responses
    on weighed.source = responses.source and weighed.response_id = responses.response_id
