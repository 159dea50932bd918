{{ config(materialized='view') }}

-- A visit that nobody arrived for and that another one followed was missed; the last one of a ticket that is solved without a word of how
-- the visit ended is unknown, else it is running.
with visits as (
    select
        source,
        ticket_id,
        work_number,
        visit_id,
        actor_id,
        result,
        began_at as dispatched_at,
        began_micros as dispatched_micros,
        reached_at as arrived_at,
        reached_micros as arrived_micros,
        ended_at as finished_at,
        ended_micros as finished_micros,
        lead(coalesce(began_at, reached_at, ended_at)) over (partition by source, ticket_id order by work_number) as next_visit_at
    from {{ ref('int_ticket_work') }}
    where work_kind = 'visit'
),

notices as (
    select
        source,
        ticket_id,
        began_at as told_at,
        began_micros as told_micros
    from {{ ref('int_ticket_work') }}
    where work_kind = 'notice'
),

told as (
    select
        visits.source,
        visits.ticket_id,
        visits.work_number,
        min(notices.told_at) as told_at,
        min(notices.told_micros) as told_micros
    from visits
    inner join notices
        on
            visits.source = notices.source
            and visits.ticket_id = notices.ticket_id
            and visits.finished_at <= notices.told_at
            and coalesce(visits.next_visit_at > notices.told_at, true)
    group by visits.source, visits.ticket_id, visits.work_number
),

-- What became of the appointment that held last. A source that never sends one has unknown appointments, not none.
appointments as (
    select
        source,
        ticket_id,
        visit_number,
        {{ last_value_of('appointment_state', 'appointment_number') }} as appointment_state
    from {{ ref('fct_appointments') }}
    group by source, ticket_id, visit_number
),

appointing_sources as (
    select distinct source from appointments
),

enriched as (
    select
        visits.*,
        case
            when appointing_sources.source is null then 'unknown'
            else coalesce(appointments.appointment_state, 'none')
        end as appointment_state,
        appointing_sources.source is not null as sends_appointments,
        appointments.appointment_state is not null as has_appointment,
        told.told_at,
        told.told_micros,
        facts.org_unit_id,
        facts.channel,
        facts.touch_point,
        facts.product_line,
        facts.ticket_kind,
        facts.asset_id,
        facts.asset_kind,
        facts.fault_code,
        facts.is_in_base,
        customers.customer_kind,
        case
            when visits.result in ('fixed', 'not_fixed', 'no_access', 'cancelled') then visits.result
            when visits.finished_at is not null then 'unknown'
            when visits.next_visit_at is null and coalesce(facts.lifecycle_status not in ('solved', 'closed', 'deleted'), true) then 'running'
            when visits.next_visit_at is not null and visits.arrived_at is null then 'missed'
            else 'unknown'
        end as visit_outcome,
        coalesce(
            visits.dispatched_at < facts.created_at or visits.arrived_at < visits.dispatched_at or visits.finished_at < coalesce(visits.arrived_at, visits.dispatched_at)
            or least(visits.dispatched_at, visits.arrived_at, visits.finished_at) < facts.created_at, false
        ) as is_out_of_order,
        {{ local_day('coalesce(visits.dispatched_at, visits.arrived_at, visits.finished_at)', 'units.time_zone') }} as visited_on
    from visits
    inner join {{ ref('int_ticket_facts') }} as facts on visits.source = facts.source and visits.ticket_id = facts.ticket_id
    left join appointing_sources on visits.source = appointing_sources.source
    left join appointments on visits.source = appointments.source and visits.ticket_id = appointments.ticket_id and visits.work_number = appointments.visit_number
    left join told on visits.source = told.source and visits.ticket_id = told.ticket_id and visits.work_number = told.work_number
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
)

select
    source,
    ticket_id,
    work_number as visit_number,
    visit_id,
    actor_id as technician_id,
    org_unit_id,
    {{ or_unknown('customer_kind') }} as customer_kind,
    {{ or_unknown('channel') }} as channel,
    touch_point,
    {{ or_unknown('product_line') }} as product_line,
    {{ or_unknown('ticket_kind') }} as ticket_kind,
    asset_id,
    {{ or_unknown('asset_kind') }} as asset_kind,
    {{ or_unknown('fault_code') }} as fault_code,
    visit_outcome,
    appointment_state,
    case when sends_appointments then has_appointment end as has_appointment,
    is_in_base,
    visit_outcome = 'fixed' as is_fixed,
    visit_outcome in ('missed', 'no_access') as is_missed,
    visit_outcome in ('fixed', 'not_fixed', 'missed', 'no_access') as is_judged,
    is_out_of_order,
    dispatched_at is null
    or (arrived_at is null and visit_outcome in ('fixed', 'not_fixed', 'unknown'))
    or (finished_at is null and visit_outcome = 'unknown') as is_incomplete,
    {%- for span, earlier, later in [('dispatch_to_arrival', 'dispatched', 'arrived'), ('on_site', 'arrived', 'finished'), ('tell', 'finished', 'told')] %}
    {{ span_seconds(earlier, later) }} as {{ span }}_seconds,
    {{ span_business_seconds(earlier, later) }} as {{ span }}_business_seconds,
    {%- endfor %}
    dispatched_at,
    arrived_at,
    finished_at,
    told_at,
    visited_on
from enriched
