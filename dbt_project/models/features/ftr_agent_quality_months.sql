with reviews as (
    select
        agent_id,
        counted_month as month_on,
        item,
        org_unit_id,
        source,
        review_id,
        reviewed_at,
        score,
        max_score
    from {{ ref('fct_quality_reviews') }}
    where is_in_base
    union all
    select
        agent_id,
        counted_month as month_on,
        'all' as item,
        org_unit_id,
        source,
        review_id,
        reviewed_at,
        score,
        max_score
    from {{ ref('fct_quality_sheets') }}
    where is_in_base
)

select
    agent_id,
    month_on,
    item,
    {{ last_value_of('org_unit_id', sort_key(['reviewed_at', 'review_id'])) }} as org_unit_id,
    max(cast(reviewed_at as date)) as last_review_on,
    count(*) as reviews,
    sum(score) as points,
    sum(max_score) as max_points,
    sum(score * score) as points_squares,
    sum(score * max_score) as points_times_base,
    sum(max_score * max_score) as max_points_squares
from reviews
group by agent_id, month_on, item
