-- Complaints and work orders that are open for long as of the newest event of their source, and what each waits for. A work order of a complaint is in the complaint.
with complaints as (
    select
        complaint_id,
        source,
        customer_key,
        org_unit_id,
        customer_kind,
        channel,
        product_line,
        ticket_kind,
        topic,
        priority,
        reopen_count,
        is_second,
        opened_at,
        known_until
    from {{ ref('fct_complaints') }}
    where is_closed = false and {{ seconds_between('opened_at', 'known_until') }} > {{ threshold('hard_age') }}
),

members as (
    select
        contacts.complaint_id,
        contacts.source,
        substr(contacts.contact_id, 8) as ticket_id
    from {{ ref('fct_complaint_contacts') }} as contacts
    where contacts.contact_kind = 'ticket'
),

orders as (
    select
        work.source,
        work.ticket_id,
        work.customer_key,
        work.org_unit_id,
        work.customer_kind,
        work.channel,
        work.product_line,
        work.ticket_kind,
        work.topic,
        work.priority,
        facts.reopen_count,
        work.reported_at as opened_at,
        horizons.known_until
    from {{ ref('fct_work_orders') }} as work
    inner join {{ ref('int_ticket_facts') }} as facts on work.source = facts.source and work.ticket_id = facts.ticket_id
    inner join {{ ref('int_ticket_horizons') }} as horizons on work.source = horizons.source
    left join members on work.source = members.source and work.ticket_id = members.ticket_id
    where
        work.is_in_base and not work.is_finished and members.complaint_id is null
        and facts.lifecycle_status is not null and facts.lifecycle_status not in ('solved', 'closed', 'deleted')
        and {{ seconds_between('work.reported_at', 'horizons.known_until') }} > {{ threshold('hard_age') }}
),

issues as (
    select
        concat('complaint:', complaint_id) as hard_issue_id,
        'complaint' as issue_kind,
        complaint_id,
        source,
        cast(null as varchar) as ticket_id,
        customer_key,
        org_unit_id,
        customer_kind,
        channel,
        product_line,
        ticket_kind,
        topic,
        priority,
        reopen_count,
        is_second,
        opened_at,
        known_until
    from complaints
    union all
    select
        concat('ticket:', source, ':', ticket_id) as hard_issue_id,
        'work_order' as issue_kind,
        null as complaint_id,
        source,
        ticket_id,
        customer_key,
        org_unit_id,
        customer_kind,
        channel,
        product_line,
        ticket_kind,
        topic,
        priority,
        reopen_count,
        null as is_second,
        opened_at,
        known_until
    from orders
),

tickets as (
    select
        issues.hard_issue_id,
        members.source,
        members.ticket_id
    from issues
    inner join members on issues.complaint_id = members.complaint_id
    union all
    select
        issues.hard_issue_id,
        issues.source,
        issues.ticket_id
    from issues
    where issues.issue_kind = 'work_order'
),

open_tickets as (
    select
        tickets.hard_issue_id,
        tickets.source,
        tickets.ticket_id,
        facts.ticket_status,
        facts.lifecycle_status,
        facts.last_event_at
    from tickets
    inner join {{ ref('int_ticket_facts') }} as facts on tickets.source = facts.source and tickets.ticket_id = facts.ticket_id
    where facts.is_in_base and coalesce(facts.lifecycle_status not in ('solved', 'closed', 'deleted'), false)
),

departments as (
    select
        open_tickets.hard_issue_id,
        1 as basis_rank,
        'department' as wait_basis,
        waits.department as detail,
        coalesce(meanings.waits_for, 'department') as waits_for,
        waits.asked_at as since_at,
        waits.reminders
    from open_tickets
    inner join {{ ref('fct_department_waits') }} as waits
        on open_tickets.source = waits.source and open_tickets.ticket_id = waits.ticket_id and waits.wait_state = 'waiting'
    left join {{ ref('waiting_for') }} as meanings on meanings.dimension = 'department' and waits.department = meanings.value
),

visits as (
    select
        open_tickets.hard_issue_id,
        2 as basis_rank,
        'visit' as wait_basis,
        visits.visit_outcome as detail,
        meanings.waits_for,
        coalesce(visits.finished_at, visits.arrived_at, visits.dispatched_at) as since_at,
        0 as reminders
    from open_tickets
    inner join {{ ref('fct_visits') }} as visits on open_tickets.source = visits.source and open_tickets.ticket_id = visits.ticket_id
    inner join {{ ref('waiting_for') }} as meanings on meanings.dimension = 'visit' and visits.visit_outcome = meanings.value
    where visits.visit_outcome <> 'cancelled'
    qualify row_number() over (partition by visits.source, visits.ticket_id order by visits.visit_number desc) = 1
),

changes as (
    select
        open_tickets.hard_issue_id,
        open_tickets.source,
        open_tickets.ticket_id,
        max(timeline.occurred_at) filter (where timeline.status is distinct from timeline.status_before) as status_since_at,
        {{ last_value_of('timeline.assignee', 'timeline.step_number') }} as assignee
    from open_tickets
    inner join {{ ref('int_ticket_timeline') }} as timeline on open_tickets.source = timeline.source and open_tickets.ticket_id = timeline.ticket_id
    group by open_tickets.hard_issue_id, open_tickets.source, open_tickets.ticket_id
),

statuses as (
    select
        open_tickets.hard_issue_id,
        case when meanings.waits_for is not null then 3 else 4 end as basis_rank,
        case when meanings.waits_for is not null then 'status' else 'none' end as wait_basis,
        open_tickets.ticket_status as detail,
        coalesce(meanings.waits_for, case when changes.assignee is null then 'nobody' else 'agent' end) as waits_for,
        case when meanings.waits_for is not null then changes.status_since_at else open_tickets.last_event_at end as since_at,
        0 as reminders
    from open_tickets
    left join changes on open_tickets.source = changes.source and open_tickets.ticket_id = changes.ticket_id
    left join {{ ref('waiting_for') }} as meanings on meanings.dimension = 'status' and open_tickets.lifecycle_status = meanings.value
),

-- Of several of one kind the one that lasts longest.
reasons as (
    select *
    from (
        select * from departments
        union all
        select * from visits
        union all
        select * from statuses
    ) as every_reason
    qualify row_number() over (partition by hard_issue_id order by basis_rank, since_at, detail, waits_for) = 1
)

select
    issues.hard_issue_id,
    issues.issue_kind,
    issues.complaint_id,
    issues.source,
    issues.ticket_id,
    issues.customer_key,
    issues.org_unit_id,
    issues.customer_kind,
    issues.channel,
    issues.product_line,
    {{ or_unknown('issues.ticket_kind') }} as ticket_kind,
    {{ or_unknown('issues.topic') }} as topic,
    {{ or_unknown('issues.priority') }} as priority,
    {{ or_unknown('reasons.waits_for') }} as waits_for,
    case when reasons.wait_basis = 'department' then reasons.detail end as department,
    coalesce(reasons.wait_basis, 'none') as wait_basis,
    cast(coalesce(reasons.reminders, 0) as integer) as reminders,
    cast(coalesce(issues.reopen_count, 0) as integer) as reopen_count,
    issues.is_second,
    {{ seconds_between('issues.opened_at', 'issues.known_until') }} as age_seconds,
    case when reasons.since_at <= issues.known_until then {{ seconds_between('reasons.since_at', 'issues.known_until') }} end as waiting_seconds,
    issues.opened_at,
    reasons.since_at as waiting_since_at,
    issues.known_until,
    {{ local_day('issues.opened_at', 'units.time_zone') }} as opened_on,
    {{ local_day('issues.known_until', 'units.time_zone') }} as as_of
from issues
left join reasons on issues.hard_issue_id = reasons.hard_issue_id
left join {{ ref('dim_org_units') }} as units on issues.org_unit_id = units.org_unit_id
