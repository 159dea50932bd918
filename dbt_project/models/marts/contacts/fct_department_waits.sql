{{ config(materialized='view') }}

-- A department that has not answered is waited for as of the newest event of the source; where the ticket is done meanwhile the wait lapsed.
with waits as (
    select
        source,
        ticket_id,
        work_number,
        department,
        asking_department,
        actor_id,
        reminders,
        began_at as asked_at,
        began_micros as asked_micros,
        ended_at as answered_at,
        ended_micros as answered_micros
    from {{ ref('int_ticket_work') }}
    where work_kind = 'department_wait'
),

clocks as (
    select
        source,
        ticket_id,
        clock_schedule_id,
        clock_shift_micros
    from {{ ref('int_ticket_work') }}
    where work_kind = 'order'
),

schedules as (
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

enriched as (
    select
        waits.*,
        facts.org_unit_id,
        facts.channel,
        facts.touch_point,
        facts.product_line,
        facts.ticket_kind,
        facts.asset_kind,
        facts.fault_code,
        facts.is_in_base,
        customers.customer_kind,
        horizons.known_until as known_at,
        schedule_horizons.known_micros + clocks.clock_shift_micros as known_micros,
        case
            when waits.asked_at is null then 'not_asked'
            when waits.answered_at is not null then 'answered'
            when facts.lifecycle_status in ('solved', 'closed', 'deleted') then 'lapsed'
            else 'waiting'
        end as wait_state,
        {{ local_day('coalesce(waits.asked_at, waits.answered_at)', 'units.time_zone') }} as asked_on
    from waits
    inner join {{ ref('int_ticket_facts') }} as facts on waits.source = facts.source and waits.ticket_id = facts.ticket_id
    inner join {{ ref('int_ticket_horizons') }} as horizons on waits.source = horizons.source
    left join clocks on waits.source = clocks.source and waits.ticket_id = clocks.ticket_id
    left join schedule_horizons on waits.source = schedule_horizons.source and clocks.clock_schedule_id = schedule_horizons.schedule_id
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
)

select
    source,
    ticket_id,
    work_number as wait_number,
    {{ or_unknown('department') }} as department,
    {{ or_unknown('asking_department') }} as asking_department,
    actor_id as asked_by,
    org_unit_id,
    {{ or_unknown('customer_kind') }} as customer_kind,
    {{ or_unknown('channel') }} as channel,
    touch_point,
    {{ or_unknown('product_line') }} as product_line,
    {{ or_unknown('ticket_kind') }} as ticket_kind,
    {{ or_unknown('asset_kind') }} as asset_kind,
    {{ or_unknown('fault_code') }} as fault_code,
    wait_state,
    is_in_base,
    greatest(reminders, 0) as reminders,
    {{ span_seconds('asked', 'answered') }} as turnaround_seconds,
    {{ span_business_seconds('asked', 'answered') }} as turnaround_business_seconds,
    case when wait_state = 'waiting' then {{ span_seconds('asked', 'known') }} end as age_seconds,
    case when wait_state = 'waiting' then {{ span_business_seconds('asked', 'known') }} end as age_business_seconds,
    asked_at,
    answered_at,
    asked_on
from enriched
