-- Money and cost of service by customer and month, in the reporting currency. One pass over the transactions: they meet their customer as a number.
-- A transaction that names no currency is in the reporting currency; one in a currency that has no rate on its day is left out and counted.
with customers as (
    select
        links.source,
        links.customer_id,
        numbers.customer_number,
        links.customer_key
    from {{ ref('dim_customer_links') }} as links
    inner join {{ ref('int_customer_numbers') }} as numbers on links.customer_key = numbers.customer_key
),

rates as (
    select * from {{ exchange_rate_spans() }} as spans
),

dated as (
    select
        coalesce(transactions.customer_source, transactions.source) as source,
        transactions.customer_id,
        transactions.transaction_kind,
        transactions.currency,
        transactions.amount,
        transactions.cost_amount,
        {{ local_day('transactions.occurred_at', 'units.time_zone') }} as occurred_on
    from {{ ref('int_transactions') }} as transactions
    left join {{ ref('dim_org_units') }} as units on transactions.org_unit_id = units.org_unit_id
    where
        transactions._status = 'used'
        and transactions.occurred_at is not null
        and transactions.transaction_kind in ('charge', 'order', 'return', 'payment')
),

money as (
    select
        customers.customer_number,
        {{ month_number('dated.occurred_on') }} as month_number,
        dated.transaction_kind in ('charge', 'order') as is_charge,
        dated.transaction_kind = 'return' as is_return,
        dated.transaction_kind = 'payment' as is_payment,
        dated.currency is not null and rates.currency is null as is_left_out,
        {{ converted('dated.amount', 'dated.currency', 'rates.rate') }} as amount,
        {{ converted('dated.cost_amount', 'dated.currency', 'rates.rate') }} as cost_amount,
        cast(0 as decimal(18, 2)) as service_cost_amount
    from dated
    inner join customers on dated.source = customers.source and dated.customer_id = customers.customer_id
    left join rates on dated.currency = rates.currency and dated.occurred_on >= rates.valid_from and dated.occurred_on < rates.valid_to
),

handled as (
    select * from {{ handled_contacts() }} as all_handled
),

service_rates as (
    select * from {{ service_rate_spans() }} as spans
),

handled_days as (
    select
        handled.contact_kind,
        handled.channel,
        handled.seconds,
        coalesce(customers.customer_key, owners.customer_key) as customer_key,
        {{ local_day('handled.handled_at', 'units.time_zone') }} as handled_on
    from handled
    left join customers on handled.source = customers.source and handled.customer_id = customers.customer_id
    left join {{ ref('int_phone_owners') }} as owners on handled.caller_phone = owners.phone
    left join {{ ref('dim_org_units') }} as units on handled.org_unit_id = units.org_unit_id
    where handled.handled_at is not null
),

-- The line of a channel wins over the line of all channels.
service as (
    select
        numbers.customer_number,
        {{ month_number('days.handled_on') }} as month_number,
        sum(
            {{ service_cost('own', 'every', 'days.seconds') }}
        ) as service_cost_amount
    from handled_days as days
    inner join {{ ref('int_customer_numbers') }} as numbers on days.customer_key = numbers.customer_key
    left join service_rates as own
        on days.contact_kind = own.contact_kind and days.channel = own.channel and days.handled_on >= own.valid_from and days.handled_on < own.valid_to
    left join service_rates as every
        on days.contact_kind = every.contact_kind and every.channel = '*' and days.handled_on >= every.valid_from and days.handled_on < every.valid_to
    group by numbers.customer_number, {{ month_number('days.handled_on') }}
),

together as (
    select * from money
    union all
    select
        service.customer_number,
        service.month_number,
        false as is_charge,
        false as is_return,
        false as is_payment,
        false as is_left_out,
        null as amount,
        null as cost_amount,
        cast(service.service_cost_amount as decimal(18, 2)) as service_cost_amount
    from service
)

select
    together.customer_number,
    {{ month_from_number('together.month_number') }} as month,
    together.month_number,
    cast(coalesce(sum(together.amount) filter (where together.is_charge), 0) as decimal(18, 2)) as billed_amount,
    cast(coalesce(sum(together.amount) filter (where together.is_return), 0) as decimal(18, 2)) as returned_amount,
    cast(coalesce(sum(together.cost_amount) filter (where not together.is_payment), 0) as decimal(18, 2)) as cost_amount,
    cast(coalesce(sum(together.amount) filter (where together.is_charge and together.cost_amount is not null), 0) as decimal(18, 2)) as cost_known_amount,
    cast(coalesce(sum(together.amount) filter (where together.is_payment), 0) as decimal(18, 2)) as paid_amount,
    cast(sum(together.service_cost_amount) as decimal(18, 2)) as service_cost_amount,
    cast(count(*) filter (where together.is_charge and together.amount is not null) as integer) as charge_count,
    cast(count(*) filter (where together.is_return and together.amount is not null) as integer) as return_count,
    cast(count(*) filter (where together.is_left_out) as integer) as left_out_count
from together
group by together.customer_number, together.month_number
