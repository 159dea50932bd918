-- What can be listened to or read: each answered stretch of a call belongs to the agent who had it; a ticket to its assignee, from when it was first
-- solved. The ticket of a telephone call is work of its own (what was written and done), reviewed apart from the call.
with legs as (
    select
        source,
        call_id as contact_id,
        agent_id,
        max(released_at) as ended_at
    from {{ ref('fct_call_legs') }}
    where is_in_base and is_answered and agent_id is not null
    group by all
),

calls as (
    select * from {{ ref('fct_calls') }}
    where is_in_base
),

handled_calls as (
    select
        source,
        contact_id,
        agent_id,
        ended_at
    from legs
    union all
    select
        calls.source,
        calls.call_id as contact_id,
        calls.agent_id,
        calls.ended_at
    from calls
    left join legs on calls.source = legs.source and calls.call_id = legs.contact_id and calls.agent_id = legs.agent_id
    where calls.is_answered and calls.agent_id is not null and legs.contact_id is null
),

tickets as (
    select * from {{ ref('fct_tickets') }}
    where is_in_base
),

-- An exchange names a ticket without saying whose; an id that two help desks have names none.
topics as (
    select
        ticket_id,
        min(topic) as topic
    from tickets
    group by ticket_id
    having count(*) = 1
),

handled as (
    select
        calls.source,
        'call' as contact_kind,
        handled_calls.contact_id,
        handled_calls.agent_id,
        calls.ticket_id,
        calls.org_unit_id,
        calls.channel,
        calls.started_at,
        coalesce(handled_calls.ended_at, calls.ended_at) as ended_at,
        calls.started_on as handled_on
    from handled_calls
    inner join calls on handled_calls.source = calls.source and handled_calls.contact_id = calls.call_id
    union all
    select
        source,
        'chat' as contact_kind,
        message_session_id as contact_id,
        agent_id,
        ticket_id,
        org_unit_id,
        channel,
        started_at,
        ended_at,
        started_on as handled_on
    from {{ ref('fct_messages') }}
    where direction = 'inbound' and is_human_answered and agent_id is not null
    union all
    select
        tickets.source,
        'ticket' as contact_kind,
        tickets.ticket_id as contact_id,
        tickets.agent_id,
        tickets.ticket_id,
        tickets.org_unit_id,
        tickets.channel,
        tickets.created_at as started_at,
        tickets.first_solved_at as ended_at,
        {{ local_day('tickets.first_solved_at', 'units.time_zone') }} as handled_on
    from tickets
    left join {{ ref('dim_org_units') }} as units on tickets.org_unit_id = units.org_unit_id
    where tickets.agent_id is not null and tickets.first_solved_at is not null
)

select
    handled.source,
    handled.contact_kind,
    handled.contact_id,
    handled.agent_id,
    coalesce(agents.org_unit_id, handled.org_unit_id) as org_unit_id,
    {{ or_unknown('handled.channel') }} as channel,
    {{ or_unknown('topics.topic') }} as topic,
    agents.agent_id is null as is_orphan_agent,
    handled.started_at,
    handled.ended_at,
    handled.handled_on,
    cast(date_trunc('month', handled.handled_on) as date) as handled_month
from handled
left join topics on handled.ticket_id = topics.ticket_id
left join {{ ref('dim_agents') }} as agents on handled.agent_id = agents.agent_id
