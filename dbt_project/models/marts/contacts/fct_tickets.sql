{{ config(materialized='view') }}

with hand_overs as (
    select
        source,
        ticket_id,
        count(*) filter (where is_shift_change) as shift_hand_overs,
        count(*) filter (where is_shift_change is null) as hand_overs_without_roster
    from {{ ref('fct_ticket_hand_overs') }}
    group by source, ticket_id
),

merged as (
    select
        source,
        merged_into_ticket_id as ticket_id,
        count(*) as merged_tickets
    from {{ ref('int_ticket_facts') }}
    where merged_into_ticket_id is not null
    group by source, merged_into_ticket_id
),

enriched as (
    select
        facts.*,
        links.customer_key,
        customers.customer_kind,
        units.time_zone,
        coalesce(hand_overs.shift_hand_overs, 0) as shift_hand_overs,
        coalesce(hand_overs.hand_overs_without_roster, 0) as hand_overs_without_roster,
        coalesce(merged.merged_tickets, 0) as merged_tickets,
        coalesce(facts.lifecycle_status in ('solved', 'closed'), false) as is_done,
        facts.customer_id is not null and links.customer_key is null as is_orphan_customer,
        facts.org_unit_id is not null and units.org_unit_id is null as is_orphan_unit
    from {{ ref('int_ticket_facts') }} as facts
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
    left join hand_overs on facts.source = hand_overs.source and facts.ticket_id = hand_overs.ticket_id
    left join merged on facts.source = merged.source and facts.ticket_id = merged.ticket_id
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
    schedule_id,
    {{ or_unknown('customer_kind') }} as customer_kind,
    {{ customer_tier('customer_key') }} as customer_tier,
    {{ or_unknown('channel') }} as channel,
    touch_point,
    {{ or_unknown('ticket_kind') }} as ticket_kind,
    {{ or_unknown('topic') }} as topic,
    {{ or_unknown('product_line') }} as product_line,
    {{ or_unknown('priority') }} as priority,
    {{ or_unknown('priority_at_creation') }} as priority_at_creation,
    priority_at_first_reply,
    priority_at_first_resolution,
    {{ or_unknown('ticket_status') }} as ticket_status,
    {{ or_unknown('lifecycle_status') }} as lifecycle_status,
    resolution_code,
    exclusion_kind,
    is_in_base,
    coalesce(ticket_kind = 'complaint', false) as is_complaint,
    is_done as is_solved,
    coalesce(ticket_status in ('solved', 'closed'), is_done) <> is_done as is_status_disputed,
    first_solved_at is not null or is_done as was_solved,
    is_done and public_agent_replies = 1 as is_one_touch,
    reopen_count > 0 as is_reopened,
    case when hand_overs > 0 then true when was_assigned then false end as is_handed_over,
    reopens_after_hand_over > 0 as is_reopened_after_hand_over,
    is_marked_solved,
    {{ is_in_level_one_scope({'ticket_kind': 'ticket_kind', 'topic': 'topic'}) }} as is_in_level_one_scope,
    is_orphan_customer,
    is_orphan_unit,
    is_flagged,
    cast(reopen_count as integer) as reopen_count,
    reported_reopen_count,
    reported_sla_met,
    cast(public_agent_replies as integer) as public_agent_replies,
    cast(customer_messages as integer) as customer_messages,
    cast(customer_turns as integer) as customer_turns,
    cast(answered_turns as integer) as answered_turns,
    cast(hand_overs as integer) as hand_overs,
    cast(shift_hand_overs as integer) as shift_hand_overs,
    cast(hand_overs_without_roster as integer) as hand_overs_without_roster,
    cast(merged_tickets as integer) as merged_tickets,
    cast(event_count as integer) as event_count,
    case when first_public_reply_at >= created_at then {{ seconds_between('created_at', 'first_public_reply_at') }} end as first_reply_seconds,
    first_reply_business_seconds,
    first_reply_business_seconds_by_last_schedule,
    first_reply_business_seconds_by_first_schedule,
    reply_after_hand_over_seconds,
    resolution_after_hand_over_seconds,
    total_reply_seconds,
    total_reply_business_seconds,
    case when first_solved_at >= created_at then {{ seconds_between('created_at', 'first_solved_at') }} end as first_resolution_seconds,
    first_resolution_business_seconds,
    first_resolution_business_seconds_by_last_schedule,
    first_resolution_business_seconds_by_first_schedule,
    case when is_done and last_solved_at >= created_at then {{ seconds_between('created_at', 'last_solved_at') }} end as full_resolution_seconds,
    full_resolution_business_seconds,
    full_resolution_business_seconds_by_last_schedule,
    full_resolution_business_seconds_by_first_schedule,
    requester_wait_seconds,
    requester_wait_business_seconds,
    agent_wait_seconds,
    agent_wait_business_seconds,
    work_seconds,
    work_business_seconds,
    hold_seconds,
    hold_business_seconds,
    created_at,
    due_at,
    first_public_reply_at,
    first_solved_at,
    last_solved_at,
    {{ local_day('created_at', 'time_zone') }} as created_on,
    case when is_done then {{ local_day('last_solved_at', 'time_zone') }} end as solved_on
from enriched
{{ join_customer_tier('enriched.customer_key', local_day('enriched.created_at', 'enriched.time_zone')) }}
