{{ config(materialized='view') }}

select
    actions.source,
    actions.action_id,
    actions.campaign_id,
    actions.account_id,
    coalesce(actions.customer_source, actions.source) as account_source,
    actions.customer_id,
    links.customer_key,
    actions.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    actions.action_kind,
    {{ or_unknown('actions.step') }} as step,
    {{ or_unknown('actions.result') }} as result,
    actions.cost_amount,
    coalesce(actions.is_control, false) as is_control,
    actions.action_kind in ('offer', 'win_back') and not coalesce(actions.is_control, false) as is_selling_contact,
    actions.action_kind in ('offer', 'win_back') and not coalesce(actions.is_control, false) and coalesce(actions.result, '') = 'accepted' as is_bought,
    actions.customer_id is not null and links.customer_key is null as is_orphan_customer,
    actions.occurred_at,
    actions.result_at,
    {{ local_day('actions.occurred_at', 'units.time_zone') }} as occurred_on
from {{ ref('int_customer_actions') }} as actions
left join {{ ref('dim_customer_links') }} as links
    on coalesce(actions.customer_source, actions.source) = links.source and actions.customer_id = links.customer_id
left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
left join {{ ref('dim_org_units') }} as units on actions.org_unit_id = units.org_unit_id
where actions._status = 'used'
