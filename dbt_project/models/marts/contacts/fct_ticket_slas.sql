{{ config(materialized='view') }}

-- A promise that nobody has fulfilled is judged at the newest event of its source: broken if it was due before, else running.
with schedules as (
    select distinct schedule_id from {{ ref('schedules') }}
),

horizons as (
    select
        horizons.source,
        horizons.known_until,
        schedules.schedule_id
    from {{ ref('int_ticket_horizons') }} as horizons
    cross join schedules
),

schedule_horizons as (
    select
        horizons.source,
        horizons.schedule_id,
        {{ open_micros('opening', 'horizons.known_until') }} as known_micros
    from horizons
    {{ join_latest(ref('int_schedule_openings'), 'opening', ['horizons.schedule_id = opening.schedule_id'], 'opening.opens_at', 'horizons.known_until') }}
),

states as (
    select
        slas.*,
        horizons.known_until,
        case
            when slas.is_clock_running and slas.clock = 'calendar' then {{ whole_seconds('slas.running_micros + ' ~ epoch_micros('horizons.known_until')) }}
            when slas.is_clock_running then {{ whole_seconds('slas.running_micros + schedule_horizons.known_micros') }}
            when slas.elapsed_seconds is null then {{ whole_seconds('slas.spent_before_micros') }}
            else slas.elapsed_seconds
        end as seconds_spent,
        case
            when slas.due_at < coalesce(slas.fulfilled_at, slas.ended_at, horizons.known_until) and not (slas.is_end_unknown and slas.fulfilled_at is null) then 'breached'
            when not slas.is_promised_at_end or slas.is_time_unknown or slas.is_end_unknown then null
            when slas.fulfilled_at is not null then 'met'
            when slas.ended_at is null then 'running'
        end as sla_state
    from {{ ref('int_ticket_slas') }} as slas
    inner join {{ ref('int_ticket_horizons') }} as horizons on slas.source = horizons.source
    left join schedule_horizons on slas.source = schedule_horizons.source and slas.running_schedule_id = schedule_horizons.schedule_id
)

select
    states.source,
    states.ticket_id,
    states.sla_metric,
    states.instance,
    states.policy,
    states.clock,
    tickets.customer_key,
    tickets.agent_id,
    case when states.sla_state = 'breached' then states.holder_when_due end as holder_agent_id,
    tickets.org_unit_id,
    tickets.customer_kind,
    tickets.channel,
    tickets.touch_point,
    tickets.ticket_kind,
    tickets.topic,
    tickets.product_line,
    {{ or_unknown('states.priority') }} as priority,
    tickets.is_in_base,
    states.sla_state,
    coalesce(states.sla_state = 'met', false) as is_met,
    coalesce(states.sla_state = 'breached', false) as is_breached,
    coalesce(states.sla_state = 'running', false) as is_running,
    states.target_seconds,
    case when not states.is_time_unknown and not states.is_end_unknown then states.seconds_spent end as elapsed_seconds,
    states.applied_at,
    states.due_at,
    states.fulfilled_at,
    states.ended_at,
    case when states.sla_state = 'breached' then states.due_at end as breached_at,
    {{ local_day('states.applied_at', 'units.time_zone') }} as applied_on,
    case
        when states.sla_state = 'breached' then {{ local_day('states.due_at', 'units.time_zone') }}
        when states.sla_state = 'met' then {{ local_day('states.fulfilled_at', 'units.time_zone') }}
    end as decided_on
from states
inner join {{ ref('fct_tickets') }} as tickets on states.source = tickets.source and states.ticket_id = tickets.ticket_id
left join {{ ref('dim_org_units') }} as units on tickets.org_unit_id = units.org_unit_id
