-- Contracts as they were known on two days: the last day of their source (`is_current`), and a half-year before it. A contract that ended before its
-- source began to tell of ends is in no row of the source, so older ones are seen late: from the first end that the source tells of.
with contracts as (
    select
        subscriptions.*,
        coalesce(subscriptions.ended_on, date '9999-12-31') as until
    from {{ ref('fct_subscriptions') }} as subscriptions
    where subscriptions.started_on is not null
),

last_days as (
    select
        days.source,
        max(days.last_day) as last_day
    from (
        select
            contracts.source,
            max(contracts.started_on) as last_day
        from contracts
        group by contracts.source
        union all
        select
            transactions.source,
            max(transactions.occurred_on) as last_day
        from {{ ref('fct_transactions') }} as transactions
        group by transactions.source
    ) as days
    group by days.source
),

first_ends as (
    select
        contracts.source,
        min(contracts.ended_on) as seen_from
    from contracts
    group by contracts.source
),

moments as (
    select
        last_days.source,
        true as is_current,
        last_days.last_day as as_of,
        last_days.last_day,
        first_ends.seen_from
    from last_days
    inner join first_ends on last_days.source = first_ends.source
    union all
    select
        last_days.source,
        false as is_current,
        last_days.last_day - cast({{ threshold('value_backtest') }} / 86400 as integer) as as_of,
        last_days.last_day,
        first_ends.seen_from
    from last_days
    inner join first_ends on last_days.source = first_ends.source
),

-- What a product line leaves of its charges, of the last year of its source: after the costs, where they are known, and after what was given back.
margins as (
    select
        transactions.source,
        transactions.product_line,
        sum(transactions.amount) filter (where transactions.transaction_kind = 'charge' and transactions.cost_amount is not null) as costed_amount,
        sum(transactions.cost_amount) filter (where transactions.transaction_kind = 'charge') as cost_amount,
        sum(transactions.amount) filter (where transactions.transaction_kind = 'charge') as charged_amount,
        sum(abs(transactions.amount)) filter (where transactions.transaction_kind = 'return') as returned_amount
    from {{ ref('fct_transactions') }} as transactions
    inner join last_days on transactions.source = last_days.source
    where transactions.occurred_on > last_days.last_day - 365 and transactions.transaction_kind in ('charge', 'return')
    group by transactions.source, transactions.product_line
)

select
    contracts.source,
    contracts.subscription_id,
    moments.is_current,
    moments.as_of,
    contracts.customer_key,
    contracts.product_line,
    contracts.currency,
    cast(contracts.monthly_fee as double) as monthly_fee,
    cast(floor(greatest(coalesce(moments.seen_from, moments.as_of) - contracts.started_on, 0) / 30.4375) as integer) as entered_months,
    cast(
        case
            when contracts.until <= moments.as_of then floor((contracts.until - contracts.started_on) / 30.4375) + 1
            else floor((moments.as_of - contracts.started_on) / 30.4375)
        end as integer
    ) as months,
    contracts.until <= moments.as_of as is_ended,
    case when not moments.is_current then contracts.until > moments.as_of and contracts.until <= moments.last_day end as is_ended_after,
    cast(margins.costed_amount as double) as costed_amount,
    cast(margins.cost_amount as double) as cost_amount,
    cast(margins.charged_amount as double) as charged_amount,
    cast(coalesce(margins.returned_amount, 0) as double) as returned_amount
from contracts
inner join moments on contracts.source = moments.source
left join margins on contracts.source = margins.source and contracts.product_line = margins.product_line
where contracts.started_on <= moments.as_of
