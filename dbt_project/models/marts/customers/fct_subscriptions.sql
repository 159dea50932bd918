{{ config(materialized='view') }}

select
    subscriptions.source,
    subscriptions.subscription_id,
    subscriptions.account_id,
    subscriptions.customer_id,
    links.customer_key,
    subscriptions.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    {{ or_unknown('subscriptions.product_line') }} as product_line,
    subscriptions.product_name,
    subscriptions.end_reason,
    subscriptions.contract_months,
    subscriptions.monthly_fee,
    {{ or_unknown('subscriptions.currency') }} as currency,
    subscriptions.ended_on is null as is_running,
    subscriptions.customer_id is not null and links.customer_key is null as is_orphan_customer,
    subscriptions.started_on,
    subscriptions.ended_on
from {{ ref('int_subscriptions') }} as subscriptions
left join {{ ref('dim_customer_links') }} as links
    on coalesce(subscriptions.customer_source, subscriptions.source) = links.source and subscriptions.customer_id = links.customer_id
left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
where subscriptions._status = 'used'
