{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'tickets', 'via': {'ticket_events': ['ticket_id']}}},
) }}

-- What was done about a ticket beyond the desk, piece by piece, each with the readings of the ticket's business clock. Steps of visits that
-- carry a number belong together by it; the others as long as they go on in the order dispatched, arrived, finished: a step that goes back
-- or repeats begins the next visit. A department that is asked again before it has answered is reminded, not asked anew. Of an appointment
-- the promise is the beginning; the window's ends stand where other pieces have when they were reached and ended.
{% set moment = record(['occurred_at', 'business_micros']) %}
with timeline as (
    select
        *,
        case event_kind when 'dispatched' then 1 when 'arrived' then 2 when 'finished' then 3 end as stage,
        event_kind in ('appointed', 'dispatched', 'arrived', 'finished', 'department_asked', 'department_answered', 'customer_told') as is_work
    from {{ ref('int_ticket_timeline') }}
    {% if is_incremental() %}
    where _partition_date in ({{ touched_partitions() }})
    {% endif %}
),

worked as (
    select
        source,
        ticket_id
    from {{ ref('int_tickets') }}
    where
        _status = 'used' and ticket_kind in ('repair', 'request', 'order', 'incident')
        {% if is_incremental() %} and _partition_date in ({{ touched_partitions() }}) {% endif %}
    union distinct
    select
        source,
        ticket_id
    from timeline
    where is_work
),

orders as (
    select
        timeline.source,
        timeline.ticket_id,
        timeline._partition_date,
        {{ first_value_of(moment, 'timeline.step_number') }} filter (where timeline.step_number = 0) as began,
        {{ first_value_of(moment, 'timeline.step_number') }} filter (where
            (timeline.ticket_event_id is not null or timeline.step_number = 0)
            and (timeline.assignee is not null or timeline.status <> 'new' or timeline.is_work)
        ) as reached,
        {{ last_value_of(moment, 'timeline.step_number') }} filter (where timeline.is_solution) as ended,
        {{ last_value_of(record(['schedule_id', 'business_micros', 'schedule_micros']), 'timeline.step_number') }} as clock
    from timeline
    inner join worked on timeline.source = worked.source and timeline.ticket_id = worked.ticket_id
    group by timeline.source, timeline.ticket_id, timeline._partition_date
),

stages as (
    select
        *,
        lag(stage) over (partition by source, ticket_id, visit_id order by step_number) as stage_before
    from timeline
    where stage is not null
),

visit_steps as (
    select
        *,
        case
            when visit_id is null
                then count(*) filter (where stage_before is null or stage <= stage_before) over (partition by source, ticket_id, visit_id order by step_number rows unbounded preceding)
        end as unnumbered_visit
    from stages
),

visits as (
    select
        source,
        ticket_id,
        visit_id,
        _partition_date,
        min(step_number) as first_step,
        {{ first_value_of('actor_id', 'step_number') }} filter (where actor_id is not null and stage > 1) as actor_id,
        {{ last_value_of(record(['value']), 'step_number') }} filter (where stage = 3) as finish,
        {{ first_value_of(moment, 'step_number') }} filter (where stage = 1) as began,
        {{ first_value_of(moment, 'step_number') }} filter (where stage = 2) as reached,
        {{ last_value_of(moment, 'step_number') }} filter (where stage = 3) as ended
    from visit_steps
    group by source, ticket_id, visit_id, unnumbered_visit, _partition_date
),

asked as (
    select
        *,
        lag(event_kind) over (partition by source, ticket_id, value order by step_number) as event_kind_before
    from timeline
    where event_kind in ('department_asked', 'department_answered')
),

wait_steps as (
    select
        *,
        count(*) filter (where event_kind_before is distinct from 'department_asked')
            over (partition by source, ticket_id, value order by step_number rows unbounded preceding) as wait_of_department
    from asked
),

waits as (
    select
        source,
        ticket_id,
        value as department,
        _partition_date,
        min(step_number) as first_step,
        {{ first_value_of(record(['previous_value', 'actor_id']), 'step_number') }} filter (where event_kind = 'department_asked') as asker,
        count(*) filter (where event_kind = 'department_asked') - 1 as reminders,
        {{ first_value_of(moment, 'step_number') }} filter (where event_kind = 'department_asked') as began,
        {{ first_value_of(moment, 'step_number') }} filter (where event_kind = 'department_answered') as ended
    from wait_steps
    group by source, ticket_id, value, wait_of_department, _partition_date
),

-- Several pieces of a kind are numbered by their first step.
pieces as (
    select
        source, ticket_id, 'order' as work_kind, 0 as first_step, null as visit_id, null as department, null as asking_department, null as actor_id, null as result,
        null as reminders, began.occurred_at as began_at, began.business_micros as began_micros, reached.occurred_at as reached_at, reached.business_micros as reached_micros,
        ended.occurred_at as ended_at, ended.business_micros as ended_micros, clock.schedule_id as clock_schedule_id,
        clock.business_micros - clock.schedule_micros as clock_shift_micros, _partition_date
    from orders
    union all
    select
        source, ticket_id, 'visit' as work_kind, first_step, visit_id, null as department, null as asking_department, actor_id, finish.value as result,
        null as reminders, began.occurred_at as began_at, began.business_micros as began_micros, reached.occurred_at as reached_at, reached.business_micros as reached_micros,
        ended.occurred_at as ended_at, ended.business_micros as ended_micros, null as clock_schedule_id, null as clock_shift_micros, _partition_date
    from visits
    union all
    select
        source, ticket_id, 'department_wait' as work_kind, first_step, null as visit_id, department, asker.previous_value as asking_department, asker.actor_id as actor_id, null as result,
        reminders, began.occurred_at as began_at, began.business_micros as began_micros, null as reached_at, null as reached_micros,
        ended.occurred_at as ended_at, ended.business_micros as ended_micros, null as clock_schedule_id, null as clock_shift_micros, _partition_date
    from waits
    union all
    select
        source, ticket_id, 'appointment' as work_kind, step_number as first_step, visit_id, null as department, null as asking_department, actor_id, value as result,
        null as reminders, occurred_at as began_at, business_micros as began_micros, window_from as reached_at, null as reached_micros,
        window_until as ended_at, null as ended_micros, null as clock_schedule_id, null as clock_shift_micros, _partition_date
    from timeline
    where event_kind = 'appointed'
    union all
    select
        source, ticket_id, case when is_reopening then 'reopening' else 'notice' end as work_kind, step_number as first_step, null as visit_id, null as department,
        null as asking_department, actor_id, null as result, null as reminders, occurred_at as began_at, business_micros as began_micros, null as reached_at,
        null as reached_micros, null as ended_at, null as ended_micros, null as clock_schedule_id, null as clock_shift_micros, _partition_date
    from timeline
    where event_kind = 'customer_told' or (is_reopening and (source, ticket_id) in (select (worked.source, worked.ticket_id) from worked))
)

select
    source,
    ticket_id,
    work_kind,
    cast(row_number() over (partition by source, ticket_id, work_kind order by first_step) as integer) as work_number,
    cast(visit_id as varchar) as visit_id,
    cast(department as varchar) as department,
    cast(asking_department as varchar) as asking_department,
    cast(actor_id as varchar) as actor_id,
    cast(result as varchar) as result,
    cast(reminders as integer) as reminders,
    cast(began_at as timestamp) as began_at,
    cast(began_micros as bigint) as began_micros,
    cast(reached_at as timestamp) as reached_at,
    cast(reached_micros as bigint) as reached_micros,
    cast(ended_at as timestamp) as ended_at,
    cast(ended_micros as bigint) as ended_micros,
    cast(clock_schedule_id as varchar) as clock_schedule_id,
    cast(clock_shift_micros as bigint) as clock_shift_micros,
    _partition_date
from pieces
