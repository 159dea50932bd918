{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'tickets', 'via': {'ticket_events': ['ticket_id']}}},
) }}

-- The life of a ticket, step by step: what happened, and what held after it. Step 0 is the creation; an event that a crooked clock
-- puts before it counts from there. Order is (time, sequence number, event id), however the events arrived. A ticket without any
-- status event gets the solution that its own record reports as a step without an event id.
{% set event_order = sort_key(['occurred_at', 'coalesce(sequence_number, 9223372036854775807)', 'ticket_event_id']) %}
{% set ticket_order = 'partition by source, ticket_id order by step_rank, occurred_at, sequence_number asc nulls last, ticket_event_id' %}
{% set before = '(' ~ ticket_order ~ ' rows between unbounded preceding and 1 preceding)' %}
{% set so_far = '(' ~ ticket_order ~ ' rows between unbounded preceding and current row)' %}
with tickets as (
    select
        source,
        ticket_id,
        org_unit_id,
        priority,
        agent_id,
        ticket_status,
        created_at,
        solved_at,
        closed_at,
        _partition_date
    from {{ ref('int_tickets') }}
    where
        _status = 'used'
        {% if is_incremental() %} and _partition_date in ({{ touched_partitions() }}) {% endif %}
),

events as (
    select
        e.source,
        e.ticket_id,
        e.ticket_event_id,
        e.event_kind,
        e.actor_id,
        e.actor_role,
        e.value,
        e.previous_value,
        e.visit_id,
        e.window_from,
        e.window_until,
        e.sequence_number,
        e.occurred_at,
        greatest(e.occurred_at, tickets.created_at) as happened_at,
        tickets.created_at,
        tickets._partition_date
    from {{ ref('int_ticket_events') }} as e
    inner join tickets on e.source = tickets.source and e.ticket_id = tickets.ticket_id
    where
        e._status = 'used'
        {% if is_incremental() %}
        and {{ quick_hash(['e.source', 'e.ticket_id']) }} in (select {{ quick_hash(['t.source', 't.ticket_id']) }} from tickets as t)
        {% endif %}
),

-- What held before the first change of a kind is what that change says it replaced; the priority given at the instant of creation is
-- the one that it was created with.
first_changes as (
    select
        source,
        ticket_id,
        count(*) filter (where event_kind = 'status') as status_events,
        count(*) filter (where event_kind = 'priority') as priority_events,
        {{ first_value_of(record(['previous_value']), event_order) }} filter (where event_kind = 'status') as first_status,
        {{ first_value_of(record(['previous_value']), event_order) }} filter (where event_kind = 'priority') as first_priority,
        {{ last_value_of('value', event_order) }} filter (where event_kind = 'priority' and happened_at = created_at) as given_priority,
        {{ first_value_of(record(['previous_value']), event_order) }} filter (where event_kind = 'assignee') as first_assignee
    from events
    where event_kind in ('status', 'priority', 'assignee')
    group by source, ticket_id
),

begun as (
    select
        tickets.*,
        first_changes.first_priority,
        first_changes.given_priority,
        first_changes.first_assignee,
        first_changes.first_status,
        coalesce(first_changes.status_events, 0) as status_events,
        coalesce(first_changes.priority_events, 0) as priority_events,
        case
            when coalesce(first_changes.status_events, 0) = 0 and coalesce(tickets.ticket_status, 'solved') in ('solved', 'closed')
                then coalesce(tickets.solved_at, tickets.closed_at)
        end as reported_solution_at
    from tickets
    left join first_changes on tickets.source = first_changes.source and tickets.ticket_id = first_changes.ticket_id
),

-- Who gives a ticket its schedule: its unit, or the group that has it.
holders as (
    select distinct
        'org_unit' as assigned_to,
        coalesce(org_unit_id, '') as holder
    from tickets
    union all
    select distinct
        'group' as assigned_to,
        value as holder
    from events
    where event_kind = 'group' and value is not null
),

{{ schedules_of_holders() }},

-- A change of schedule at the instant of creation is the schedule that the ticket was created under.
schedules_at_creation as (
    select
        events.source,
        events.ticket_id,
        {{ last_value_of('events.value', event_order) }} filter (where events.event_kind = 'schedule') as own_schedule,
        {{ last_value_of('holder_schedules.schedule_id', event_order) }} filter (where events.event_kind = 'group') as holder_schedule
    from events
    left join holder_schedules
        on
            events.event_kind = 'group'
            and holder_schedules.assigned_to = 'group'
            and events.value = holder_schedules.holder
            and events.happened_at >= holder_schedules.begins_at
            and events.happened_at < holder_schedules.ends_at
    where events.event_kind in ('schedule', 'group') and events.happened_at = events.created_at
    group by events.source, events.ticket_id
),

steps as (
    select
        begun.source,
        begun.ticket_id,
        0 as step_rank,
        cast(null as varchar) as ticket_event_id,
        'created' as event_kind,
        cast(null as varchar) as actor_id,
        cast(null as varchar) as actor_role,
        cast(null as varchar) as value,
        cast(null as varchar) as previous_value,
        cast(null as varchar) as visit_id,
        cast(null as timestamp) as window_from,
        cast(null as timestamp) as window_until,
        cast(null as bigint) as sequence_number,
        begun.created_at as occurred_at,
        begun.created_at as happened_at,
        case
            when begun.status_events > 0 then coalesce(begun.first_status.previous_value, 'new')
            when begun.reported_solution_at is not null then 'new'
        end as new_status,
        case
            when begun.priority_events > 0 then coalesce(begun.given_priority, begun.first_priority.previous_value)
            else begun.priority
        end as new_priority,
        begun.first_assignee.previous_value as new_assignee,
        'customer' as speaker,
        schedules_at_creation.own_schedule,
        coalesce(schedules_at_creation.holder_schedule, holder_schedules.schedule_id) as holder_schedule,
        true as may_move_schedule,
        begun._partition_date
    from begun
    left join schedules_at_creation on begun.source = schedules_at_creation.source and begun.ticket_id = schedules_at_creation.ticket_id
    left join holder_schedules
        on
            holder_schedules.assigned_to = 'org_unit'
            and coalesce(begun.org_unit_id, '') = holder_schedules.holder
            and begun.created_at >= holder_schedules.begins_at
            and begun.created_at < holder_schedules.ends_at
    union all
    select
        source,
        ticket_id,
        1 as step_rank,
        cast(null as varchar) as ticket_event_id,
        'status' as event_kind,
        cast(null as varchar) as actor_id,
        cast(null as varchar) as actor_role,
        coalesce(ticket_status, 'solved') as value,
        cast(null as varchar) as previous_value,
        cast(null as varchar) as visit_id,
        cast(null as timestamp) as window_from,
        cast(null as timestamp) as window_until,
        cast(null as bigint) as sequence_number,
        reported_solution_at as occurred_at,
        greatest(reported_solution_at, created_at) as happened_at,
        coalesce(ticket_status, 'solved') as new_status,
        cast(null as varchar) as new_priority,
        cast(null as varchar) as new_assignee,
        cast(null as varchar) as speaker,
        cast(null as varchar) as own_schedule,
        cast(null as varchar) as holder_schedule,
        false as may_move_schedule,
        _partition_date
    from begun
    where reported_solution_at is not null
    union all
    select
        events.source,
        events.ticket_id,
        1 as step_rank,
        events.ticket_event_id,
        events.event_kind,
        events.actor_id,
        events.actor_role,
        events.value,
        events.previous_value,
        events.visit_id,
        events.window_from,
        events.window_until,
        events.sequence_number,
        events.occurred_at,
        events.happened_at,
        case when events.event_kind = 'status' then coalesce(events.value, 'unknown') end as new_status,
        case when events.event_kind = 'priority' then events.value end as new_priority,
        case when events.event_kind = 'assignee' then events.value end as new_assignee,
        -- A message at the instant of creation is the ticket's own text, also where an agent typed it for the customer at the counter.
        case
            when events.event_kind = 'public_reply' and events.occurred_at > events.created_at and events.actor_role in ('agent', 'customer')
                then events.actor_role
        end as speaker,
        case when events.event_kind = 'schedule' and events.happened_at > events.created_at then events.value end as own_schedule,
        holder_schedules.schedule_id as holder_schedule,
        (events.event_kind = 'schedule' and events.happened_at > events.created_at) or holder_schedules.schedule_id is not null as may_move_schedule,
        events._partition_date
    from events
    left join holder_schedules
        on
            events.event_kind = 'group'
            and events.happened_at > events.created_at
            and holder_schedules.assigned_to = 'group'
            and events.value = holder_schedules.holder
            and events.happened_at >= holder_schedules.begins_at
            and events.happened_at < holder_schedules.ends_at
),

states as (
    select
        source,
        ticket_id,
        cast(row_number() over ({{ ticket_order }}) - 1 as integer) as step_number,
        ticket_event_id,
        event_kind,
        actor_id,
        actor_role,
        value,
        previous_value,
        visit_id,
        window_from,
        window_until,
        occurred_at,
        happened_at,
        last_value(new_status ignore nulls) over {{ before }} as status_before,
        last_value(new_status ignore nulls) over {{ so_far }} as status,
        last_value(new_priority ignore nulls) over {{ so_far }} as priority,
        last_value(new_assignee ignore nulls) over {{ before }} as assignee_before,
        last_value(new_assignee ignore nulls) over {{ so_far }} as assignee,
        speaker,
        last_value(speaker ignore nulls) over {{ before }} as speaker_before,
        coalesce(
            last_value(own_schedule ignore nulls) over {{ so_far }},
            last_value(holder_schedule ignore nulls) over {{ so_far }}
        ) as schedule_id,
        may_move_schedule,
        _partition_date
    from steps
),

-- Each instant is looked up once, and without the rest of its row: the look-up sorts what it is given.
instants as (
    select distinct
        schedule_id,
        happened_at
    from states
    where schedule_id is not null
),

readings as (
    select
        instants.schedule_id,
        instants.happened_at,
        {{ open_micros('opening', 'instants.happened_at') }} as own_micros
    from instants
    {{ join_latest(ref('int_schedule_openings'), 'opening', ['instants.schedule_id = opening.schedule_id'], 'opening.opens_at', 'instants.happened_at') }}
),

clocked as (
    select
        states.*,
        readings.own_micros
    from states
    left join readings on states.schedule_id = readings.schedule_id and states.happened_at = readings.happened_at
),

-- Where a ticket moves to another schedule, its clock goes on with the new schedule's pace from where it stands: from there on it
-- is the new schedule's own time plus a constant. So each span of a ticket, under however many schedules, is one subtraction.
schedule_steps as (
    select
        source,
        ticket_id,
        step_number,
        happened_at,
        schedule_id,
        own_micros,
        lag(schedule_id) over (partition by source, ticket_id order by step_number) as schedule_before
    from clocked
    where may_move_schedule
),

moves as (
    select
        schedule_steps.source,
        schedule_steps.ticket_id,
        schedule_steps.step_number,
        {{ open_micros('opening', 'schedule_steps.happened_at') }} - schedule_steps.own_micros as shift_micros
    from schedule_steps
    {{ join_latest(ref('int_schedule_openings'), 'opening', ['schedule_steps.schedule_before = opening.schedule_id'], 'opening.opens_at', 'schedule_steps.happened_at') }}
    where schedule_steps.step_number > 0 and schedule_steps.schedule_id is distinct from schedule_steps.schedule_before
),

-- Time under an unknown schedule is unknown, and so is every later reading of that ticket's clock.
shifts as (
    select
        source,
        ticket_id,
        step_number,
        case
            when count(shift_micros) over (partition by source, ticket_id order by step_number rows unbounded preceding)
                = row_number() over (partition by source, ticket_id order by step_number)
                then sum(shift_micros) over (partition by source, ticket_id order by step_number rows unbounded preceding)
        end as shift_micros
    from moves
),

moved_tickets as (
    select
        clocked.source,
        clocked.ticket_id,
        clocked.step_number
    from clocked
    inner join (select distinct source, ticket_id from moves) as moved on clocked.source = moved.source and clocked.ticket_id = moved.ticket_id
),

moved_steps as (
    select
        moved_tickets.source,
        moved_tickets.ticket_id,
        moved_tickets.step_number,
        shifts.step_number as moved_at_step,
        shifts.shift_micros
    from moved_tickets
    {{ join_latest('shifts', 'shifts', ['moved_tickets.source = shifts.source', 'moved_tickets.ticket_id = shifts.ticket_id'], 'shifts.step_number', 'moved_tickets.step_number') }}
)

select
    clocked.source,
    clocked.ticket_id,
    clocked.step_number,
    clocked.ticket_event_id,
    clocked.event_kind,
    clocked.actor_id,
    clocked.actor_role,
    clocked.value,
    clocked.previous_value,
    clocked.visit_id,
    clocked.window_from,
    clocked.window_until,
    clocked.status_before,
    clocked.status,
    clocked.priority,
    clocked.assignee_before,
    clocked.assignee,
    clocked.speaker,
    clocked.speaker_before,
    clocked.schedule_id,
    clocked.occurred_at,
    clocked.happened_at,
    clocked.own_micros as schedule_micros,
    cast(case when moved_steps.moved_at_step is null then clocked.own_micros else clocked.own_micros + moved_steps.shift_micros end as bigint) as business_micros,
    coalesce(moved_steps.moved_at_step = clocked.step_number, false) as is_schedule_move,
    coalesce(
        clocked.event_kind = 'status' and clocked.status in ('solved', 'closed') and clocked.status_before not in ('solved', 'closed'), false
    ) as is_solution,
    coalesce(
        clocked.event_kind = 'status' and clocked.status_before in ('solved', 'closed') and clocked.status not in ('solved', 'closed', 'deleted'), false
    ) as is_reopening,
    clocked.step_number = 0 or coalesce(clocked.speaker = 'customer' and clocked.speaker_before = 'agent', false) as begins_turn,
    coalesce(clocked.speaker = 'agent' and clocked.speaker_before = 'customer', false) as ends_turn,
    coalesce(clocked.event_kind = 'assignee' and clocked.step_number > 0 and clocked.assignee <> clocked.assignee_before, false) as is_hand_over,
    clocked._partition_date
from clocked
left join moved_steps
    on clocked.source = moved_steps.source and clocked.ticket_id = moved_steps.ticket_id and clocked.step_number = moved_steps.step_number
