-- The score of a week is that of the reviews of the last weeks up to its end: a single week has too few of an agent.
with reviews as (
    select * from {{ ref('fct_quality_reviews') }}
    where is_in_base
),

settings as (
    select
        cast({{ threshold('quality_weeks') }} as integer) as weeks,
        cast({{ threshold('quality_item_base') }} as integer) as base
),

weeks as (
    select distinct
        cast(date_trunc('week', reviewed_on) as date) as week_on
    from reviews
),

summed as (
    select
        reviews.agent_id,
        weeks.week_on,
        reviews.item,
        {{ last_value_of('reviews.org_unit_id', sort_key(['reviews.reviewed_at', 'reviews.review_id'])) }} as org_unit_id,
        max(reviews.weak_below) as weak_below,
        count(*) as n,
        sum(reviews.score) as y,
        sum(reviews.max_score) as x,
        sum(reviews.score * reviews.score) as yy,
        sum(reviews.score * reviews.max_score) as xy,
        sum(reviews.max_score * reviews.max_score) as xx
    from weeks
    cross join settings
    inner join reviews on reviews.reviewed_on < weeks.week_on + 7 and reviews.reviewed_on >= weeks.week_on + 7 - 7 * settings.weeks
    group by reviews.agent_id, weeks.week_on, reviews.item
),

estimated as (
    select
        *,
        y / x as score,
        {{ ratio_error('y', 'x', 'yy', 'xy', 'xx', 'n') }} * {{ t_975('(n - 1)') }} as half
    from summed
)

select
    estimated.agent_id,
    estimated.week_on,
    estimated.item,
    estimated.org_unit_id,
    cast(estimated.n as integer) as reviews,
    estimated.score,
    greatest(0.0, estimated.score - estimated.half) as low,
    least(1.0, estimated.score + estimated.half) as high,
    estimated.weak_below,
    case
        when estimated.n < settings.base then 'too_few'
        when estimated.score + estimated.half < estimated.weak_below then 'weak'
        when estimated.score < estimated.weak_below then 'suspected'
        else 'good_enough'
    end as item_state,
    estimated.week_on = max(estimated.week_on) over () as is_newest_week
from estimated
cross join settings
