-- The stock of each day is all that was opened less what was solved plus what was reopened until then, and today's is the tickets open now.
with days as (
    select
        source,
        org_unit_id,
        channel,
        touch_point,
        product_line,
        customer_kind,
        ticket_kind,
        priority,
        backlog_on,
        sum(backlog) as backlog,
        sum(opened - solved + reopened) as change
    from {{ ref('fct_backlog_days') }}
    group by all
),

replayed as (
    select
        *,
        sum(change) over (
            partition by source, org_unit_id, channel, touch_point, product_line, customer_kind, ticket_kind, priority order by backlog_on rows unbounded preceding
        ) as expected
    from days
),

now_open as (
    select
        source,
        count(*) filter (where not is_solved) as open_tickets
    from {{ ref('fct_tickets') }}
    where is_in_base
    group by source
),

last_days as (
    select
        days.source,
        sum(days.backlog) as backlog
    from days
    inner join {{ ref('int_ticket_horizons') }} as horizons on days.source = horizons.source and horizons.is_current
    where days.backlog_on = (select max(every.backlog_on) from days as every)
    group by days.source
),

flows as (
    select
        source,
        sum(opened - solved + reopened) as open_tickets
    from {{ ref('fct_backlog_days') }}
    group by source
)

select
    source,
    backlog_on,
    backlog,
    expected
from replayed
where backlog <> expected
union all
select
    now_open.source,
    null as backlog_on,
    coalesce(flows.open_tickets, 0) as backlog,
    now_open.open_tickets as expected
from now_open
left join flows on now_open.source = flows.source
where coalesce(flows.open_tickets, 0) <> now_open.open_tickets
union all
select
    last_days.source,
    null as backlog_on,
    last_days.backlog,
    now_open.open_tickets as expected
from last_days
inner join now_open on last_days.source = now_open.source
where last_days.backlog <> now_open.open_tickets
