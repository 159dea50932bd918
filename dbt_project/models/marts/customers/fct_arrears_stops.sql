-- Stops of the service for arrears, and the complaints of the same customers in as many days before it as from it on: what customers who do not pay complain of anyway
-- stands on both sides.
with windows as (
    select cast({{ threshold('stop_complaint_days') }} as integer) as days
),

complaints as (
    select
        tickets.customer_key,
        tickets.created_on
    from {{ ref('fct_tickets') }} as tickets
    where tickets.ticket_kind = 'complaint' and tickets.is_in_base and tickets.customer_key is not null
),

known_span as (
    select
        min(tickets.created_on) as first_on,
        max(tickets.created_on) as last_on
    from {{ ref('fct_tickets') }} as tickets
),

stops as (
    select
        {{ columns_without('steps', ['is_final']) }},
        windows.days,
        coalesce(steps.occurred_on - windows.days >= known_span.first_on and steps.occurred_on + windows.days - 1 <= known_span.last_on, false)
        and steps.customer_key is not null as is_final
    from {{ ref('fct_dunning_steps') }} as steps
    cross join windows
    cross join known_span
    where steps.is_stop and not steps.is_control
),

counted as (
    select
        stops.source,
        stops.action_id,
        count(*) filter (where complaints.created_on >= stops.occurred_on) as after,
        count(*) filter (where complaints.created_on < stops.occurred_on) as before
    from stops
    inner join complaints
        on
            stops.customer_key = complaints.customer_key
            and complaints.created_on between stops.occurred_on - stops.days and stops.occurred_on + stops.days - 1
    group by stops.source, stops.action_id
)

select
    stops.source,
    stops.action_id,
    stops.account_id,
    stops.customer_key,
    stops.org_unit_id,
    stops.customer_kind,
    stops.owed_amount,
    stops.is_nothing_owed as is_wrong,
    case when stops.is_final then cast(coalesce(counted.before, 0) as integer) end as complaints_before,
    case when stops.is_final then cast(coalesce(counted.after, 0) as integer) end as complaints_after,
    stops.is_final,
    stops.occurred_at as stopped_at,
    stops.occurred_on as stopped_on
from stops
left join counted on stops.source = counted.source and stops.action_id = counted.action_id
