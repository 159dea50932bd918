-- Four ways to the same question, each from 0 to 100 with high = good: asked directly; derived from expectation and perception (no gap = 50);
-- importance times performance; and problems counted: 100 for a customer who was served in a month without a complaint or repair, else 0.
with asked as (
    select
        'asked' as method,
        responses.org_unit_id,
        {{ or_unknown('responses.product_line') }} as product_line,
        {{ or_unknown('responses.customer_kind') }} as customer_kind,
        coalesce(responses.responded_on, {{ local_day('answers.responded_at', 'null') }}) as judged_on,
        answers.score_100
    from {{ ref('int_answer_scores') }} as answers
    left join {{ ref('fct_survey_responses') }} as responses on answers.source = responses.source and answers.response_id = responses.response_id
    where answers.is_csat
),

gaps as (
    select
        org_unit_id,
        product_line,
        customer_kind,
        responded_on,
        weighted_gap_100,
        weighted_perception_100
    from {{ ref('fct_expectation_gaps') }}
    where weighted_gap_100 is not null
),

served as (
    select
        org_unit_id,
        product_line,
        customer_kind,
        cast(date_trunc('month', started_on) as date) as judged_on,
        case when count(*) filter (where ticket_kind in ('complaint', 'repair')) > 0 then 0.0 else 100.0 end as score_100
    from {{ ref('fct_contacts') }}
    where customer_key is not null and started_on is not null
    group by customer_key, org_unit_id, product_line, customer_kind, cast(date_trunc('month', started_on) as date)
),

scores as (
    select * from asked
    union all by name
    select 'derived' as method, org_unit_id, product_line, customer_kind, responded_on as judged_on, 50 + weighted_gap_100 / 2 as score_100 from gaps
    union all by name
    select 'importance_performance' as method, org_unit_id, product_line, customer_kind, responded_on as judged_on, weighted_perception_100 as score_100 from gaps
    union all by name
    select 'problems_counted' as method, org_unit_id, product_line, customer_kind, judged_on, score_100 from served
)

select
    concat_ws('|', scores.method, coalesce(scores.org_unit_id, ''), scores.product_line, scores.customer_kind, cast(date_trunc('month', scores.judged_on) as date)) as slice_id,
    scores.method,
    scores.org_unit_id,
    scores.product_line,
    scores.customer_kind,
    cast(date_trunc('month', scores.judged_on) as date) as month_begin,
    count(*) as judgements,
    sum(scores.score_100) as score_sum,
    sum(scores.score_100 * scores.score_100) as score_sum_squares
from scores
where scores.judged_on is not null
group by all
