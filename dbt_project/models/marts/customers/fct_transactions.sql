{{ config(materialized='view') }}

select
    transactions.source,
    transactions.transaction_id,
    transactions.account_id,
    transactions.subscription_id,
    transactions.settles_id,
    transactions.customer_id,
    links.customer_key,
    transactions.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    {{ or_unknown('transactions.product_line') }} as product_line,
    transactions.transaction_kind,
    {{ or_unknown('transactions.currency') }} as currency,
    transactions.amount,
    transactions.cost_amount,
    transactions.quantity,
    transactions.transaction_kind in ('charge', 'order', 'return') as is_billed,
    transactions.customer_id is not null and links.customer_key is null as is_orphan_customer,
    transactions.due_on,
    transactions.paid_on,
    transactions.occurred_at,
    {{ local_day('transactions.occurred_at', 'units.time_zone') }} as occurred_on
from {{ ref('int_transactions') }} as transactions
left join {{ ref('dim_customer_links') }} as links
    on coalesce(transactions.customer_source, transactions.source) = links.source and transactions.customer_id = links.customer_id
left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
left join {{ ref('dim_org_units') }} as units on transactions.org_unit_id = units.org_unit_id
where transactions._status = 'used'
