-- Money that no customer's turnover has, and why. A currency without a rate is left out, never taken as the reporting currency.
with rates as (
    select * from {{ exchange_rate_spans() }} as spans
),

always as (
    select whole.currency
    from {{ ref('exchange_rates') }} as whole
    where whole.valid_from is null
),

transactions as (
    select
        transactions.source,
        coalesce(transactions.customer_source, transactions.source) as customer_source,
        transactions.customer_id,
        transactions.transaction_kind,
        transactions.currency,
        transactions.amount,
        {{ local_day('transactions.occurred_at', 'units.time_zone') }} as occurred_on
    from {{ ref('int_transactions') }} as transactions
    left join {{ ref('dim_org_units') }} as units on transactions.org_unit_id = units.org_unit_id
    where
        transactions._status = 'used'
        and transactions.occurred_at is not null
        and transactions.transaction_kind in ('charge', 'order', 'return', 'payment')
        and (
            transactions.customer_id is null
            or transactions.currency not in (select always.currency from always)
            or not exists (
                select 1 from {{ ref('dim_customer_links') }} as links
                where links.source = coalesce(transactions.customer_source, transactions.source) and links.customer_id = transactions.customer_id
            )
        )
),

judged as (
    select
        transactions.*,
        case when transactions.currency is not null and rates.currency is null then 'no_rate' when links.customer_id is null then 'no_customer' end as left_out_reason
    from transactions
    left join rates
        on transactions.currency = rates.currency and transactions.occurred_on >= rates.valid_from and transactions.occurred_on < rates.valid_to
    left join {{ ref('dim_customer_links') }} as links on transactions.customer_source = links.source and transactions.customer_id = links.customer_id
)

select
    judged.source,
    {{ or_unknown('judged.currency') }} as currency,
    judged.transaction_kind,
    judged.left_out_reason,
    count(*) as transactions,
    cast(sum(judged.amount) as decimal(18, 2)) as amount,
    {{ month_from_number(month_number('judged.occurred_on')) }} as left_out_month
from judged
where judged.left_out_reason is not null
group by judged.source, {{ or_unknown('judged.currency') }}, judged.transaction_kind, judged.left_out_reason, {{ month_from_number(month_number('judged.occurred_on')) }}
