-- A bill is what an account was charged in a calendar month. One-off orders (devices) and what was given back are not in it. Earlier ones count for twelve months.
with charged as (
    select
        transactions.source,
        transactions.account_id,
        {{ or_unknown('transactions.currency') }} as currency,
        transactions.org_unit_id,
        coalesce(transactions.customer_source, transactions.source) as customer_source,
        transactions.customer_id,
        transactions.amount,
        {{ local_day('transactions.occurred_at', 'units.time_zone') }} as charged_on
    from {{ ref('int_transactions') }} as transactions
    left join {{ ref('dim_org_units') }} as units on transactions.org_unit_id = units.org_unit_id
    where transactions._status = 'used' and transactions.transaction_kind = 'charge' and transactions.account_id is not null and transactions.occurred_at is not null
),

monthly as (
    select
        charged.source,
        charged.account_id,
        charged.currency,
        cast(date_trunc('month', charged.charged_on) as date) as bill_month,
        min(charged.org_unit_id) as org_unit_id,
        min(charged.customer_source) as customer_source,
        min(charged.customer_id) as customer_id,
        cast(sum(charged.amount) as decimal(18, 2)) as amount,
        max(charged.charged_on) as billed_on
    from charged
    group by charged.source, charged.account_id, charged.currency, cast(date_trunc('month', charged.charged_on) as date)
)

select
    monthly.*,
    count(*) over before_it as bills_before,
    min(monthly.amount) over before_it as smallest_before
from monthly
window before_it as (
    partition by monthly.source, monthly.account_id, monthly.currency
    order by {{ month_number('monthly.bill_month') }}
    range between 12 preceding and 1 preceding
)
