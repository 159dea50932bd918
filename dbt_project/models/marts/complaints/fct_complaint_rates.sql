-- What complaints are divided by. Customers and contracts are those that run on the last day of a month (of the last month: on the last day of the data), so
-- that a rate over several months is one of customer-months. A base that has no channel or product says not_applicable, and a rate by it is null.
with complaints as (
    select
        cast(date_trunc('month', opened_on) as date) as month_begin,
        org_unit_id,
        channel,
        product_line,
        customer_kind,
        count(*) as complaints
    from {{ ref('fct_complaints') }}
    group by all
),

contacts as (
    select
        cast(date_trunc('month', started_on) as date) as month_begin,
        org_unit_id,
        channel,
        product_line,
        customer_kind,
        count(*) as contacts
    from {{ ref('fct_contacts') }}
    group by all
),

orders as (
    select
        cast(date_trunc('month', occurred_on) as date) as month_begin,
        org_unit_id,
        product_line,
        customer_kind,
        count(*) as orders
    from {{ ref('fct_transactions') }}
    where transaction_kind = 'order'
    group by all
),

ends as (
    select max(known_until) as known_until
    from {{ ref('fct_complaints') }}
),

months as (
    select distinct month_begin from complaints
    union
    select distinct month_begin from contacts
),

-- Whole months are enough: what runs on the last day of a month began in it or before it and ends after it. What ends after the data runs on.
contract_spans as (
    select
        contracts.customer_key,
        contracts.org_unit_id,
        contracts.product_line,
        contracts.customer_kind,
        contracts.started_on,
        case when contracts.ended_on <= cast(ends.known_until as date) then contracts.ended_on else date '9999-12-31' end as ended_on
    from {{ ref('fct_subscriptions') }} as contracts
    cross join ends
    where contracts.started_on <= cast(ends.known_until as date) and coalesce(contracts.ended_on > contracts.started_on, true)
),

-- Contracts of a customer that touch or overlap are one stretch: a customer with three products is one customer.
ordered_spans as (
    select
        customer_key,
        customer_kind,
        started_on,
        ended_on,
        max(ended_on) over (partition by customer_key order by started_on, ended_on rows between unbounded preceding and 1 preceding) as covered_until
    from contract_spans
    where customer_key is not null
),

stretches as (
    select
        customer_key,
        customer_kind,
        started_on,
        ended_on,
        count(*) filter (where covered_until is null or started_on > covered_until)
            over (partition by customer_key order by started_on, ended_on rows unbounded preceding) as stretch
    from ordered_spans
),

spans as (
    select
        customer_key,
        min(customer_kind) as customer_kind,
        cast(date_trunc('month', min(started_on)) as date) as first_month,
        cast(date_trunc('month', max(ended_on)) as date) as end_month
    from stretches
    group by customer_key, stretch
),

changes as (
    select
        'contracts' as base,
        org_unit_id,
        product_line,
        customer_kind,
        cast(date_trunc('month', started_on) as date) as first_month,
        cast(date_trunc('month', ended_on) as date) as end_month,
        count(*) as units
    from contract_spans
    group by all
    union all
    select
        'customers' as base,
        customers.org_unit_id,
        'not_applicable' as product_line,
        spans.customer_kind,
        spans.first_month,
        spans.end_month,
        count(*) as units
    from spans
    left join {{ ref('dim_customers') }} as customers on spans.customer_key = customers.customer_key
    where spans.first_month < spans.end_month
    group by all
),

running as (
    select
        changes.base,
        months.month_begin,
        changes.org_unit_id,
        changes.product_line,
        changes.customer_kind,
        sum(changes.units) as units
    from months
    inner join changes on months.month_begin >= changes.first_month and months.month_begin < changes.end_month
    group by all
),

together as (
    select
        month_begin, org_unit_id, channel, product_line, customer_kind, 'complaints' as rate_part, complaints as units
    from complaints
    union all
    select
        month_begin, org_unit_id, channel, product_line, customer_kind, 'contacts' as rate_part, contacts as units
    from contacts
    union all
    select
        month_begin, org_unit_id, 'not_applicable' as channel, product_line, customer_kind, 'orders' as rate_part, orders as units
    from orders
    union all
    select
        month_begin, org_unit_id, 'not_applicable' as channel, product_line, customer_kind, base as rate_part, units
    from running
)

select
    concat_ws('|', rate_part, month_begin, coalesce(org_unit_id, ''), channel, product_line, customer_kind) as rate_row_id,
    rate_part,
    org_unit_id,
    channel,
    product_line,
    customer_kind,
    cast(sum(units) as bigint) as units,
    month_begin
from together
where month_begin is not null
group by all
