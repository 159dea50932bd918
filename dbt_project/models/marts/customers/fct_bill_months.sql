with bills as (
    select * from {{ ref('int_bills') }}
),

shocks as (
    select
        f.source,
        f.account_id,
        f.currency,
        f.bill_month
    from {{ ref('fct_bill_shocks') }} as f
),

summed as (
    select
        bills.source,
        bills.org_unit_id,
        {{ or_unknown('customers.customer_kind') }} as customer_kind,
        bills.currency,
        bills.currency = {{ main_currency() }} as is_main_currency,
        cast(count(*) as bigint) as bills,
        cast(count(*) filter (where bills.bills_before >= {{ threshold('bill_shock_bills') }}) as bigint) as judged_bills,
        cast(count(shocks.account_id) as bigint) as shocks,
        cast(sum(bills.amount) as decimal(18, 2)) as amount,
        bills.bill_month
    from bills
    left join shocks
        on bills.source = shocks.source and bills.account_id = shocks.account_id and bills.currency = shocks.currency and bills.bill_month = shocks.bill_month
    left join {{ ref('dim_customer_links') }} as links on bills.customer_source = links.source and bills.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    group by all
)

select
    concat_ws('|', summed.bill_month, summed.source, coalesce(summed.org_unit_id, ''), summed.customer_kind, summed.currency) as bill_month_id,
    summed.*
from summed
