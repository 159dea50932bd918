-- Contract periods laid together: a lifetime goes on as long as a contract runs or the next one begins within the gap.
with periods as (
    select
        subscriptions.customer_key,
        subscriptions.org_unit_id,
        subscriptions.product_line,
        subscriptions.subscription_id,
        subscriptions.source,
        subscriptions.end_reason,
        coalesce(subscriptions.monthly_fee, 0) as monthly_fee,
        subscriptions.started_on,
        subscriptions.ended_on,
        coalesce(subscriptions.ended_on, date '9999-12-31') as until
    from {{ ref('fct_subscriptions') }} as subscriptions
    where subscriptions.customer_key is not null
),

marked as (
    select
        periods.*,
        max(periods.until) over (
            partition by periods.customer_key order by periods.started_on, periods.until, periods.source, periods.subscription_id
            rows between unbounded preceding and 1 preceding
        ) as until_before
    from periods
),

numbered as (
    select
        marked.*,
        sum(case when marked.until_before is null or marked.started_on - marked.until_before > {{ threshold('lifetime_gap_days') }} then 1 else 0 end) over (
            partition by marked.customer_key order by marked.started_on, marked.until, marked.source, marked.subscription_id
        ) as lifetime_number
    from marked
),

lifetimes as (
    select
        numbered.customer_key,
        numbered.lifetime_number,
        {{ last_value_of('numbered.org_unit_id', sort_key(['numbered.until', 'numbered.started_on', 'numbered.source', 'numbered.subscription_id'])) }} as org_unit_id,
        {{ last_value_of('numbered.end_reason', sort_key(['numbered.until', 'numbered.started_on', 'numbered.source', 'numbered.subscription_id'])) }} as end_reason,
        case when count(distinct numbered.product_line) > 1 then 'several' else min(numbered.product_line) end as product_line,
        count(*) as contracts,
        min(numbered.started_on) as started_on,
        nullif(max(numbered.until), date '9999-12-31') as ended_on
    from numbered
    group by numbered.customer_key, numbered.lifetime_number
),

-- The fees that stopped with the last contracts.
last_fees as (
    select
        numbered.customer_key,
        numbered.lifetime_number,
        sum(numbered.monthly_fee) as last_fee
    from numbered
    inner join lifetimes on numbered.customer_key = lifetimes.customer_key and numbered.lifetime_number = lifetimes.lifetime_number
    where numbered.until >= coalesce(lifetimes.ended_on, date '9999-12-31') - cast({{ threshold('lifetime_gap_days') }} as integer)
    group by numbered.customer_key, numbered.lifetime_number
)

select
    lifetimes.customer_key,
    cast(lifetimes.lifetime_number as integer) as lifetime_number,
    lifetimes.org_unit_id,
    lifetimes.product_line,
    lifetimes.end_reason,
    cast(lifetimes.contracts as integer) as contracts,
    cast(last_fees.last_fee as decimal(18, 2)) as last_fee,
    lifetimes.started_on,
    lifetimes.ended_on
from lifetimes
left join last_fees on lifetimes.customer_key = last_fees.customer_key and lifetimes.lifetime_number = last_fees.lifetime_number
