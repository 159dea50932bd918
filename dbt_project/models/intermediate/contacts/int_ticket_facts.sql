{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'tickets', 'via': {'ticket_events': ['ticket_id']}}},
) }}

-- What happened on a ticket, from its events; where a source has no events, from what it reports itself.
with tickets as (
    select * from {{ ref('int_tickets') }}
    where
        _status = 'used'
        {% if is_incremental() %} and _partition_date in ({{ touched_partitions() }}) {% endif %}
),

events as (
    select e.*
    from {{ ref('int_ticket_events') }} as e
    where
        e._status = 'used'
        {% if is_incremental() %}
        and {{ quick_hash(['e.source', 'e.ticket_id']) }} in (select {{ quick_hash(['t.source', 't.ticket_id']) }} from tickets as t)
        {% endif %}
),

status_steps as (
    select
        source,
        ticket_id,
        occurred_at,
        value in ('solved', 'closed') as is_solved,
        coalesce(lag(value) over (
            partition by source, ticket_id order by occurred_at, sequence_number, ticket_event_id
        ) in ('solved', 'closed'), false) as was_solved
    from events
    where event_kind = 'status'
),

status_facts as (
    select
        source,
        ticket_id,
        min(occurred_at) filter (where is_solved and not was_solved) as first_solved_at,
        max(occurred_at) filter (where is_solved and not was_solved) as last_solved_at,
        count(*) filter (where was_solved and not is_solved) as reopen_count,
        max(occurred_at) as last_status_at
    from status_steps
    group by source, ticket_id
),

-- A message at the instant of creation is the ticket's own text, also where an agent typed it for the customer at the counter.
reply_steps as (
    select
        events.source,
        events.ticket_id,
        events.occurred_at,
        events.event_kind = 'public_reply' and events.actor_role = 'agent' and events.occurred_at > tickets.created_at as is_agent_reply,
        events.event_kind = 'public_reply' and events.actor_role = 'customer' as is_customer_message
    from events
    inner join tickets on events.source = tickets.source and events.ticket_id = tickets.ticket_id
),

reply_facts as (
    select
        source,
        ticket_id,
        min(occurred_at) filter (where is_agent_reply) as first_public_reply_at,
        count(*) filter (where is_agent_reply) as public_agent_replies,
        count(*) filter (where is_customer_message) as customer_messages,
        count(*) as events,
        max(occurred_at) as last_event_at
    from reply_steps
    group by source, ticket_id
)

select
    tickets.source,
    tickets.ticket_id,
    tickets.customer_id,
    tickets.customer_source,
    tickets.account_id,
    tickets.agent_id,
    tickets.org_unit_id,
    tickets.merged_into_ticket_id,
    tickets.channel,
    tickets.touch_point,
    tickets.ticket_kind,
    tickets.topic,
    tickets.subtopic,
    tickets.product_line,
    tickets.priority,
    tickets.ticket_status,
    tickets.language,
    tickets.resolution_code,
    tickets.exclusion_kind,
    tickets.reported_reopen_count,
    tickets.reported_sla_met,
    tickets.created_at,
    tickets.due_at,
    reply_facts.first_public_reply_at,
    coalesce(status_facts.first_solved_at, tickets.solved_at, tickets.closed_at) as first_solved_at,
    coalesce(status_facts.last_solved_at, tickets.solved_at, tickets.closed_at) as last_solved_at,
    coalesce(status_facts.reopen_count, tickets.reported_reopen_count, 0) as reopen_count,
    coalesce(reply_facts.public_agent_replies, 0) as public_agent_replies,
    coalesce(reply_facts.customer_messages, 0) as customer_messages,
    coalesce(reply_facts.events, 0) as event_count,
    reply_facts.last_event_at,
    len(tickets._flags) > 0 as is_flagged,
    tickets._partition_date
from tickets
left join status_facts on tickets.source = status_facts.source and tickets.ticket_id = status_facts.ticket_id
left join reply_facts on tickets.source = reply_facts.source and tickets.ticket_id = reply_facts.ticket_id
