-- The backlog by replay: a ticket is open from its creation to its solution, and again from each reopening. Each such stretch enters the
-- stock of an age on one day and leaves it on another; the stock of a day is the running total of what entered less what left. So a stretch
-- costs two rows an age it lives through, however long it lasts; only the result has a row a day.
{% set dimensions = 'source, org_unit_id, channel, product_line, customer_kind, ticket_kind, priority' %}
{% set stock = 'partition by ' ~ dimensions ~ ', age_bucket order by day' %}
with tickets as (
    select
        tickets.source,
        tickets.ticket_id,
        tickets.org_unit_id,
        tickets.channel,
        tickets.product_line,
        tickets.customer_kind,
        tickets.ticket_kind,
        tickets.priority,
        tickets.created_on,
        units.time_zone,
        {{ local_day('horizons.known_until', 'units.time_zone') }} as last_day
    from {{ ref('fct_tickets') }} as tickets
    inner join {{ ref('int_ticket_horizons') }} as horizons on tickets.source = horizons.source
    left join {{ ref('dim_org_units') }} as units on tickets.org_unit_id = units.org_unit_id
    where tickets.is_in_base and not (tickets.is_solved and tickets.last_solved_at is null)
),

ages as (
    {%- for bucket, from_days, until_days in [('0', 0, 1), ('1-2', 1, 3), ('3-6', 3, 7), ('7-29', 7, 30), ('30+', 30, 1000000)] %}
    select
        '{{ bucket }}' as age_bucket,
        {{ from_days }} as from_days,
        {{ until_days }} as until_days
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

changes as (
    select
        {{ columns_without('tickets', ['time_zone']) }},
        steps.step_number,
        steps.is_solution,
        steps.is_reopening,
        {{ local_day('steps.happened_at', 'tickets.time_zone') }} as day
    from {{ ref('int_ticket_timeline') }} as steps
    inner join tickets on steps.source = tickets.source and steps.ticket_id = tickets.ticket_id
    where steps.step_number = 0 or steps.is_solution or steps.is_reopening
),

flows as (
    select
        {{ dimensions }},
        ages.age_bucket,
        changes.day,
        count(*) filter (where changes.step_number = 0) as opened,
        count(*) filter (where changes.is_solution) as solved,
        count(*) filter (where changes.is_reopening) as reopened
    from changes
    inner join ages on changes.day - changes.created_on >= ages.from_days and changes.day - changes.created_on < ages.until_days
    group by all
),

-- A step that opens a ticket, up to the one that follows (a solution, if there is one).
stretches as (
    select
        *,
        coalesce(lead(day) over (partition by source, ticket_id order by step_number), last_day + 1) as until_day
    from changes
),

moves as (
    select
        stretches.*,
        ages.age_bucket,
        greatest(stretches.day, stretches.created_on + ages.from_days) as entered_on,
        least(stretches.until_day, stretches.created_on + ages.until_days) as left_on
    from stretches
    inner join ages
        on
            stretches.until_day > stretches.created_on + ages.from_days
            and stretches.day < stretches.created_on + ages.until_days
    where not stretches.is_solution and stretches.until_day > stretches.day
),

stock_changes as (
    select
        {{ dimensions }},
        age_bucket,
        day,
        sum(change) as change
    from (
        select
            {{ dimensions }},
            age_bucket,
            entered_on as day,
            1 as change
        from moves
        union all
        select
            {{ dimensions }},
            age_bucket,
            left_on as day,
            -1 as change
        from moves
    ) as moved
    group by {{ dimensions }}, age_bucket, day
),

stocks as (
    select
        {{ dimensions }},
        age_bucket,
        day,
        cast(sum(change) over ({{ stock }} rows unbounded preceding) as bigint) as backlog,
        lead(day) over ({{ stock }}) as next_day
    from stock_changes
),

backlog_days as (
    select
        {{ dimensions }},
        age_bucket,
        {{ each_day('day', 'next_day') }} as day,
        backlog
    from stocks
    where backlog > 0
),

together as (
    select
        {{ dimensions }},
        age_bucket,
        day,
        opened,
        solved,
        reopened,
        0 as backlog
    from flows
    union all
    select
        {{ dimensions }},
        age_bucket,
        day,
        0 as opened,
        0 as solved,
        0 as reopened,
        backlog
    from backlog_days
)

select
    concat_ws('|', day, source, coalesce(org_unit_id, ''), channel, product_line, customer_kind, ticket_kind, priority, age_bucket) as backlog_day_id,
    day as backlog_on,
    {{ dimensions }},
    age_bucket,
    cast(sum(opened) as bigint) as opened,
    cast(sum(solved) as bigint) as solved,
    cast(sum(reopened) as bigint) as reopened,
    cast(sum(backlog) as bigint) as backlog
from together
group by day, {{ dimensions }}, age_bucket
