-- What a customer expected is what he says in the same response; where it asks no such thing, what he said last in the window before.
with scores as (
    select
        source,
        response_id,
        avg(score_100) filter (where question_role = 'expectation' or (question_role = 'index_item' and construct = 'expectation')) as expectation_100,
        avg(score_100) filter (where question_role = 'perception') as perception_100,
        avg(score_100) filter (where question_role = 'csat' or (question_role = 'index_item' and construct = 'satisfaction')) as satisfaction_100
    from {{ ref('int_answer_scores') }}
    where is_valid and question_role in ('expectation', 'perception', 'csat', 'index_item')
    group by source, response_id
),

gaps as (
    select
        source,
        response_id,
        sum(importance_share * gap_100) as weighted_gap_100,
        sum(importance_share * gap_points) as weighted_gap_points,
        avg(gap_100) as mean_gap_100,
        sum(importance_share * perception_100) as weighted_perception_100
    from {{ ref('fct_servqual_dimensions') }}
    group by source, response_id
),

evaluating as (
    select
        responses.source,
        responses.response_id,
        responses.customer_key,
        responses.responded_at,
        scores.expectation_100,
        coalesce(scores.perception_100, scores.satisfaction_100) as evaluation_100
    from {{ ref('fct_survey_responses') }} as responses
    inner join scores on responses.source = scores.source and responses.response_id = scores.response_id
),

earlier as (
    select
        customer_key,
        responded_at,
        avg(expectation_100) as expectation_100
    from evaluating
    where expectation_100 is not null and customer_key is not null
    group by customer_key, responded_at
),

evaluated as (
    select
        evaluating.*,
        case
            when evaluating.expectation_100 is null and {{ seconds_between('earlier.responded_at', 'evaluating.responded_at') }} <= {{ threshold('expectation_window') }}
                then earlier.expectation_100
        end as earlier_expectation_100
    from evaluating
    {{ join_latest('earlier', 'earlier', ['evaluating.customer_key = earlier.customer_key'], 'earlier.responded_at', 'evaluating.responded_at') }}
    where evaluating.evaluation_100 is not null
),

compared as (
    select
        evaluated.*,
        coalesce(evaluated.expectation_100, evaluated.earlier_expectation_100) as held_against_100,
        evaluated.evaluation_100 - coalesce(evaluated.expectation_100, evaluated.earlier_expectation_100) as disconfirmation_100
    from evaluated
    where evaluated.expectation_100 is not null or evaluated.earlier_expectation_100 is not null
)

select
    compared.source,
    compared.response_id,
    responses.survey_id,
    responses.customer_key,
    responses.org_unit_id,
    responses.customer_kind,
    responses.survey_kind,
    responses.wave,
    responses.channel,
    responses.product_line,
    case when compared.expectation_100 is not null then 'same_response' else 'earlier_response' end as expectation_from,
    compared.held_against_100 as expectation_100,
    compared.evaluation_100,
    compared.disconfirmation_100,
    case
        when compared.disconfirmation_100 > {{ threshold('disconfirmation_margin') }} then 'better'
        when compared.disconfirmation_100 + {{ threshold('disconfirmation_margin') }} < 0 then 'worse'
        else 'as_expected'
    end as disconfirmation_kind,
    gaps.weighted_gap_100,
    gaps.weighted_gap_points,
    gaps.mean_gap_100,
    gaps.weighted_perception_100,
    responses.responded_at,
    responses.responded_on
from compared
inner join {{ ref('fct_survey_responses') }} as responses on compared.source = responses.source and compared.response_id = responses.response_id
left join gaps on compared.source = gaps.source and compared.response_id = gaps.response_id
