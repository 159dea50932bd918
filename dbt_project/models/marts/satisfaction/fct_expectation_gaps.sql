-- What a customer expected is what he says in the same response; where it asks no such thing, what he said last in the window before.
with scores as (
    select
        source,
        response_id,
        avg(score_100) filter (where question_role = 'expectation' or (question_role = 'index_item' and construct = 'expectation')) as expectation_100,
        avg(score_100) filter (where question_role = 'perception') as perception_100,
        avg(score_100) filter (where question_role = 'csat' or (question_role = 'index_item' and construct = 'satisfaction')) as satisfaction_100
    from {{ ref('int_answer_scores') }}
    where is_valid
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

responses as (
    select
        responses.*,
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
    from responses
    where expectation_100 is not null and customer_key is not null
    group by customer_key, responded_at
),

evaluated as (
    select
        responses.*,
        case
            when responses.expectation_100 is null and {{ seconds_between('earlier.responded_at', 'responses.responded_at') }} <= {{ threshold('expectation_window') }}
                then earlier.expectation_100
        end as earlier_expectation_100
    from responses
    {{ join_latest('earlier', 'earlier', ['responses.customer_key = earlier.customer_key'], 'earlier.responded_at', 'responses.responded_at') }}
    where responses.evaluation_100 is not null
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
    compared.survey_id,
    compared.customer_key,
    compared.org_unit_id,
    compared.customer_kind,
    compared.survey_kind,
    compared.wave,
    compared.channel,
    compared.product_line,
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
    compared.responded_at,
    compared.responded_on
from compared
left join gaps on compared.source = gaps.source and compared.response_id = gaps.response_id
