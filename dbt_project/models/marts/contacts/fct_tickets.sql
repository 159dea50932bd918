{{ config(materialized='view') }}

with enriched as (
    select
        facts.*,
        links.customer_key,
        customers.customer_kind,
        units.time_zone,
        facts.customer_id is not null and links.customer_key is null as is_orphan_customer,
        facts.org_unit_id is not null and units.org_unit_id is null as is_orphan_unit
    from {{ ref('int_ticket_facts') }} as facts
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
)

select
    source,
    ticket_id,
    customer_id,
    customer_key,
    account_id,
    agent_id,
    org_unit_id,
    merged_into_ticket_id,
    {{ or_unknown('customer_kind') }} as customer_kind,
    {{ or_unknown('channel') }} as channel,
    {{ or_unknown('touch_point') }} as touch_point,
    {{ or_unknown('ticket_kind') }} as ticket_kind,
    {{ or_unknown('topic') }} as topic,
    {{ or_unknown('product_line') }} as product_line,
    {{ or_unknown('priority') }} as priority,
    {{ or_unknown('ticket_status') }} as ticket_status,
    resolution_code,
    exclusion_kind,
    exclusion_kind is null and coalesce(ticket_status, '') <> 'deleted' as is_in_base,
    coalesce(ticket_kind = 'complaint', false) as is_complaint,
    coalesce(ticket_status in ('solved', 'closed'), false) as is_solved,
    coalesce(ticket_status in ('solved', 'closed') and public_agent_replies = 1, false) as is_one_touch,
    reopen_count > 0 as is_reopened,
    is_orphan_customer,
    is_orphan_unit,
    is_flagged,
    cast(reopen_count as integer) as reopen_count,
    reported_reopen_count,
    reported_sla_met,
    cast(public_agent_replies as integer) as public_agent_replies,
    cast(customer_messages as integer) as customer_messages,
    cast(event_count as integer) as event_count,
    case when first_public_reply_at >= created_at then {{ seconds_between('created_at', 'first_public_reply_at') }} end as first_reply_seconds,
    case when first_solved_at >= created_at then {{ seconds_between('created_at', 'first_solved_at') }} end as first_resolution_seconds,
    case
        when ticket_status in ('solved', 'closed') and last_solved_at >= created_at then {{ seconds_between('created_at', 'last_solved_at') }}
    end as full_resolution_seconds,
    created_at,
    due_at,
    first_public_reply_at,
    first_solved_at,
    last_solved_at,
    {{ local_day('created_at', 'time_zone') }} as created_on,
    case when ticket_status in ('solved', 'closed') then {{ local_day('last_solved_at', 'time_zone') }} end as solved_on
from enriched
