-- Customers who came back after a time without any contract, whether they had been asked to, and how long they stay.
with until_day as (
    select {{ contracts_known_until() }} as until
),

returns as (
    select
        lifetimes.*,
        before.ended_on as lost_on,
        before.end_reason as lost_reason,
        until_day.until
    from {{ ref('int_customer_lifetimes') }} as lifetimes
    cross join until_day
    inner join {{ ref('int_customer_lifetimes') }} as before
        on lifetimes.customer_key = before.customer_key and lifetimes.lifetime_number = before.lifetime_number + 1
    where lifetimes.started_on <= until_day.until
),

asked as (
    select
        returns.customer_key,
        returns.lifetime_number,
        max(offers.offered_on) as asked_on,
        {{ last_value_of('offers.assignment', sort_key(['offers.offered_on', 'offers.action_id'])) }} as assignment
    from returns
    inner join {{ ref('fct_retention_offers') }} as offers
        on
            returns.customer_key = offers.customer_key
            and offers.offered_on between returns.started_on - cast({{ threshold('keep_long_days') }} as integer) and returns.started_on
    where offers.goal = 'win_back'
    group by returns.customer_key, returns.lifetime_number
)

select
    returns.customer_key,
    returns.lifetime_number,
    returns.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    {{ or_unknown('returns.product_line') }} as product_line,
    coalesce(asked.assignment, 'none') as assignment,
    {{ or_unknown('returns.lost_reason') }} as lost_reason,
    cast(returns.started_on - returns.lost_on as integer) as away_days,
    cast(case when returns.ended_on <= returns.until then returns.ended_on else returns.until end - returns.started_on as integer) as stayed_days,
    coalesce(returns.ended_on <= returns.until, false) as is_lost_again,
    case
        when returns.until >= returns.started_on + cast({{ threshold('keep_long_days') }} as integer)
            then returns.ended_on is null or returns.ended_on >= returns.started_on + cast({{ threshold('keep_long_days') }} as integer)
    end as is_kept_long,
    asked.asked_on,
    returns.lost_on,
    case when returns.ended_on <= returns.until then returns.ended_on end as lost_again_on,
    returns.started_on as returned_on
from returns
left join asked on returns.customer_key = asked.customer_key and returns.lifetime_number = asked.lifetime_number
left join {{ ref('dim_customers') }} as customers on returns.customer_key = customers.customer_key
