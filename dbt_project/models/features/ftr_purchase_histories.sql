-- What is known of a customer without a contract on two days: the last day of his shop's data (`is_current`), and a half-year before it, from which
-- the model must foretell what is known by now. Several orders of one day are one purchase, as in `fct_purchases`.
with orders as (
    select
        transactions.source,
        transactions.customer_key,
        transactions.occurred_on,
        transactions.currency,
        sum(transactions.amount) filter (where transactions.transaction_kind = 'order') as amount,
        sum(transactions.amount) filter (where transactions.transaction_kind = 'order' and transactions.cost_amount is not null) as costed_amount,
        sum(transactions.cost_amount) filter (where transactions.transaction_kind = 'order') as cost_amount,
        sum(abs(transactions.amount)) filter (where transactions.transaction_kind = 'return') as returned_amount,
        count(*) filter (where transactions.transaction_kind = 'order') as orders
    from {{ ref('fct_transactions') }} as transactions
    where
        transactions.transaction_kind in ('order', 'return')
        and transactions.customer_key is not null
        and transactions.occurred_on is not null
        and transactions.customer_key not in (
            select contracts.customer_key from {{ ref('fct_subscriptions') }} as contracts
            where contracts.customer_key is not null
        )
    group by transactions.source, transactions.customer_key, transactions.occurred_on, transactions.currency
),

last_days as (
    select
        transactions.source,
        max(transactions.occurred_on) as last_day
    from {{ ref('fct_transactions') }} as transactions
    group by transactions.source
),

moments as (
    select
        last_days.source,
        true as is_current,
        last_days.last_day as as_of,
        last_days.last_day
    from last_days
    union all
    select
        last_days.source,
        false as is_current,
        last_days.last_day - cast({{ threshold('value_backtest') }} / 86400 as integer) as as_of,
        last_days.last_day
    from last_days
),

known as (
    select
        moments.is_current,
        moments.as_of,
        orders.*
    from orders
    inner join moments on orders.source = moments.source
    where moments.is_current or orders.occurred_on <= moments.last_day
),

-- The currency of most of a customer's purchases, of equal ones the first by its code: amounts in others say nothing about what he pays.
currencies as (
    select
        counted.is_current,
        counted.source,
        counted.customer_key,
        counted.currency
    from (
        select
            known.is_current,
            known.source,
            known.customer_key,
            known.currency,
            count(distinct known.occurred_on) as days
        from known
        where known.orders > 0 and known.occurred_on <= known.as_of
        group by known.is_current, known.source, known.customer_key, known.currency
    ) as counted
    qualify
        row_number() over (
            partition by counted.is_current, counted.source, counted.customer_key
            order by counted.days desc, counted.currency asc
        ) = 1
),

days as (
    select
        known.is_current,
        known.as_of,
        known.source,
        known.customer_key,
        known.occurred_on,
        currencies.currency,
        sum(known.orders) as orders,
        sum(known.amount) filter (where known.currency = currencies.currency) as amount,
        sum(known.costed_amount) filter (where known.currency = currencies.currency) as costed_amount,
        sum(known.cost_amount) filter (where known.currency = currencies.currency) as cost_amount,
        sum(known.returned_amount) filter (where known.currency = currencies.currency) as returned_amount,
        bool_or(known.currency <> currencies.currency) as has_other_currency
    from known
    inner join currencies
        on known.is_current = currencies.is_current and known.source = currencies.source and known.customer_key = currencies.customer_key
    group by known.is_current, known.as_of, known.source, known.customer_key, known.occurred_on, currencies.currency
),

firsts as (
    select
        days.is_current,
        days.source,
        days.customer_key,
        min(days.occurred_on) filter (where days.orders > 0) as first_on
    from days
    group by days.is_current, days.source, days.customer_key
),

final as (
    select
        days.is_current,
        days.as_of,
        days.source,
        days.customer_key,
        days.currency,
        firsts.first_on,
        max(days.occurred_on) filter (where days.orders > 0 and days.occurred_on <= days.as_of) as last_on,
        count(*) filter (where days.orders > 0 and days.occurred_on <= days.as_of and days.occurred_on > firsts.first_on) as repeat_purchases,
        count(days.amount) filter (where days.orders > 0 and days.occurred_on <= days.as_of and days.occurred_on > firsts.first_on) as money_purchases,
        sum(days.amount) filter (where days.orders > 0 and days.occurred_on <= days.as_of and days.occurred_on > firsts.first_on) as repeat_amount,
        sum(days.amount) filter (where days.occurred_on <= days.as_of) as total_amount,
        sum(days.costed_amount) filter (where days.occurred_on <= days.as_of) as costed_amount,
        sum(days.cost_amount) filter (where days.occurred_on <= days.as_of) as cost_amount,
        sum(days.returned_amount) filter (where days.occurred_on <= days.as_of) as returned_amount,
        count(*) filter (where days.orders > 0 and days.occurred_on > days.as_of) as purchases_after,
        bool_or(days.has_other_currency) as has_other_currency
    from days
    inner join firsts on days.is_current = firsts.is_current and days.source = firsts.source and days.customer_key = firsts.customer_key
    where firsts.first_on <= days.as_of
    group by days.is_current, days.as_of, days.source, days.customer_key, days.currency, firsts.first_on
)

select
    final.source,
    final.customer_key,
    final.is_current,
    final.as_of,
    final.currency,
    cast(final.repeat_purchases as integer) as repeat_purchases,
    cast(final.last_on - final.first_on as integer) as recency_days,
    cast(final.as_of - final.first_on as integer) as age_days,
    cast(final.money_purchases as integer) as money_purchases,
    cast(final.repeat_amount as double) as repeat_amount,
    cast(final.total_amount as double) as total_amount,
    cast(final.costed_amount as double) as costed_amount,
    cast(final.cost_amount as double) as cost_amount,
    cast(coalesce(final.returned_amount, 0) as double) as returned_amount,
    case when not final.is_current then cast(final.purchases_after as integer) end as purchases_after,
    final.has_other_currency,
    final.first_on
from final
