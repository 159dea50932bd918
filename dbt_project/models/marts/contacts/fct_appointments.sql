{{ config(materialized='view') }}

-- What became of each promise to come in a window. The visit is the one with the appointment's number; without a number the first that
-- nobody had arrived for, or ended, by the time of the promise. A later promise for the same visit takes the place of the earlier one:
-- in time it is moved, after the window it was missed.
with work as (
    select * from {{ ref('int_ticket_work') }}
    where work_kind in ('appointment', 'visit', 'order')
),

appointments as (
    select
        source,
        ticket_id,
        work_number,
        visit_id,
        result as wished_by,
        began_at as promised_at,
        reached_at as window_from,
        ended_at as window_until
    from work
    where work_kind = 'appointment'
),

visits as (
    select
        source,
        ticket_id,
        work_number,
        visit_id,
        actor_id,
        result,
        reached_at as arrived_at,
        ended_at as finished_at,
        coalesce(reached_at, ended_at, began_at) as there_at
    from work
    where work_kind = 'visit'
),

visits_of_appointments as (
    select
        appointments.source,
        appointments.ticket_id,
        appointments.work_number,
        min(visits.work_number) as visit_number
    from appointments
    inner join visits
        on
            appointments.source = visits.source
            and appointments.ticket_id = visits.ticket_id
            and (appointments.visit_id = visits.visit_id or (appointments.visit_id is null and appointments.promised_at <= visits.there_at))
    group by appointments.source, appointments.ticket_id, appointments.work_number
),

visited as (
    select
        appointments.*,
        visits_of_appointments.visit_number,
        case when visits_of_appointments.visit_number is null then appointments.visit_id end as visit_to_come
    from appointments
    left join visits_of_appointments
        on
            appointments.source = visits_of_appointments.source
            and appointments.ticket_id = visits_of_appointments.ticket_id
            and appointments.work_number = visits_of_appointments.work_number
),

followed as (
    select
        *,
        lead(promised_at) over (partition by source, ticket_id, visit_number, visit_to_come order by work_number) as moved_at,
        lead(wished_by) over (partition by source, ticket_id, visit_number, visit_to_come order by work_number) as moved_by
    from visited
),

lives as (
    select
        followed.source,
        followed.ticket_id,
        followed.work_number,
        followed.visit_id,
        followed.visit_number,
        followed.promised_at,
        followed.window_from,
        followed.window_until,
        followed.moved_at,
        case
            when followed.moved_at is null then 'not_moved'
            when followed.moved_by in ('customer', 'company') then followed.moved_by
            else 'unknown'
        end as moved_by,
        visits.actor_id,
        visits.result,
        visits.finished_at,
        -- Who comes after the promise was replaced comes for the one that replaced it.
        case when followed.moved_at is null or visits.arrived_at < followed.moved_at then visits.arrived_at end as arrived_at,
        case when facts.lifecycle_status in ('solved', 'closed', 'deleted') then orders.ended_at end as solved_at,
        coalesce(followed.window_from <= followed.window_until and followed.promised_at <= followed.window_until, false) as is_window_known,
        horizons.known_until,
        facts.org_unit_id,
        facts.channel,
        facts.touch_point,
        facts.product_line,
        facts.ticket_kind,
        facts.asset_kind,
        facts.fault_code,
        facts.is_in_base,
        customers.customer_kind,
        {{ local_day('coalesce(followed.window_from, followed.promised_at)', 'units.time_zone') }} as appointed_on
    from followed
    inner join {{ ref('int_ticket_facts') }} as facts on followed.source = facts.source and followed.ticket_id = facts.ticket_id
    inner join {{ ref('int_ticket_horizons') }} as horizons on followed.source = horizons.source
    left join work as orders on followed.source = orders.source and followed.ticket_id = orders.ticket_id and orders.work_kind = 'order'
    left join visits on followed.source = visits.source and followed.ticket_id = visits.ticket_id and followed.visit_number = visits.work_number
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
),

judged as (
    select
        *,
        case
            when not is_window_known or arrived_at < promised_at then 'unknown'
            when arrived_at < window_from then 'early'
            when arrived_at <= window_until then 'kept'
            when arrived_at is not null then 'late'
            when moved_at <= window_until then 'rescheduled'
            when moved_at is not null then 'missed'
            when result = 'cancelled' and finished_at <= window_until then 'cancelled'
            when finished_at is not null and coalesce(result, '') <> 'cancelled' then 'unknown'
            when solved_at <= window_until then 'cancelled'
            when known_until <= window_until then 'not_final'
            else 'missed'
        end as appointment_state
    from lives
)

select
    source,
    ticket_id,
    work_number as appointment_number,
    visit_number,
    visit_id,
    actor_id as technician_id,
    org_unit_id,
    {{ or_unknown('customer_kind') }} as customer_kind,
    {{ or_unknown('channel') }} as channel,
    touch_point,
    {{ or_unknown('product_line') }} as product_line,
    {{ or_unknown('ticket_kind') }} as ticket_kind,
    {{ or_unknown('asset_kind') }} as asset_kind,
    {{ or_unknown('fault_code') }} as fault_code,
    appointment_state,
    moved_by,
    is_in_base,
    appointment_state in ('kept', 'early', 'late', 'missed') as is_judged,
    case when appointment_state = 'early' then {{ seconds_between('arrived_at', 'window_from') }} end as early_seconds,
    case when appointment_state = 'late' then {{ seconds_between('window_until', 'arrived_at') }} end as late_seconds,
    promised_at,
    window_from,
    window_until,
    moved_at,
    arrived_at,
    appointed_on
from judged
