-- The backlog by replay: a ticket is open from its creation to its solution, and again from each reopening. Each such stretch enters the
-- stock of an age on one day and leaves it on another; the stock of a day is the running total of what entered less what left. So a stretch
-- costs two rows an age it lives through, however long it lasts; only the result has a row a day.
-- Ages are by the calendar and by the ticket's business clock. When that clock reaches an age is one look-up of its reading in the opening
-- hours, so business ages cost a look-up an age and ticket, not one a day.
{% set business_ages = [('0-8h', 0, 8), ('8-24h', 8, 24), ('24-80h', 24, 80), ('80h+', 80, 1000000)] %}
{% set dimensions = 'source, org_unit_id, channel, touch_point, product_line, customer_kind, ticket_kind, priority' %}
{% set stock = 'partition by ' ~ dimensions ~ ', age_bucket, business_age_bucket order by day' %}
with known_tickets as (
    select
        tickets.source,
        tickets.ticket_id,
        tickets.org_unit_id,
        tickets.channel,
        tickets.touch_point,
        tickets.product_line,
        tickets.customer_kind,
        tickets.ticket_kind,
        tickets.priority,
        tickets.created_on,
        units.time_zone,
        horizons.is_current,
        {{ local_day('horizons.known_until', 'units.time_zone') }} as known_until_day
    from {{ ref('fct_tickets') }} as tickets
    inner join {{ ref('int_ticket_horizons') }} as horizons on tickets.source = horizons.source
    left join {{ ref('dim_org_units') }} as units on tickets.org_unit_id = units.org_unit_id
    where tickets.is_in_base and not (tickets.is_solved and tickets.last_solved_at is null)
),

-- One last day for all that is current: else the stock of that day would lack the units where it has not begun and the sources that
-- come an hour later.
tickets as (
    select
        {{ columns_without('known_tickets', ['is_current', 'known_until_day']) }},
        case
            when known_tickets.is_current then max(known_tickets.known_until_day) filter (where known_tickets.is_current) over ()
            else known_tickets.known_until_day
        end as last_day
    from known_tickets
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

business_ages as (
    {%- for bucket, from_hours, until_hours in business_ages %}
    select
        '{{ bucket }}' as business_age_bucket,
        {{ loop.index }} as age_rank,
        cast({{ from_hours }} as bigint) * 3600000000 as from_micros,
        cast({{ until_hours }} as bigint) * 3600000000 as until_micros
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

steps as (
    select
        {{ columns_without('tickets', ['time_zone', 'last_day']) }},
        tickets.time_zone,
        tickets.last_day,
        timeline.step_number,
        timeline.is_solution,
        timeline.is_reopening,
        timeline.is_schedule_move,
        timeline.schedule_id,
        timeline.schedule_micros,
        timeline.business_micros,
        timeline.happened_at
    from {{ ref('int_ticket_timeline') }} as timeline
    inner join tickets on timeline.source = tickets.source and timeline.ticket_id = tickets.ticket_id
    where timeline.step_number = 0 or timeline.is_solution or timeline.is_reopening or timeline.is_schedule_move
),

-- A stretch under one schedule: in it the ticket's clock is the schedule's own plus a constant (int_ticket_timeline).
scheduled as (
    select
        source,
        ticket_id,
        time_zone,
        created_on,
        step_number,
        schedule_id,
        happened_at,
        business_micros,
        business_micros - schedule_micros as shift_micros,
        first_value(business_micros) over (partition by source, ticket_id order by step_number) as creation_micros,
        lead(business_micros) over (partition by source, ticket_id order by step_number) as next_micros,
        lead(happened_at) over (partition by source, ticket_id order by step_number) as next_at
    from steps
    where step_number = 0 or is_schedule_move
),

targets as (
    select
        scheduled.source,
        scheduled.ticket_id,
        scheduled.time_zone,
        scheduled.next_at,
        scheduled.schedule_id,
        ages.business_age_bucket,
        ages.age_rank,
        scheduled.creation_micros + ages.from_micros - scheduled.shift_micros as reading,
        scheduled.creation_micros + ages.from_micros - scheduled.shift_micros - 1 as reading_before
    from scheduled
    inner join business_ages as ages on scheduled.business_micros < scheduled.creation_micros + ages.from_micros
    where scheduled.next_micros is null or scheduled.next_micros >= scheduled.creation_micros + ages.from_micros
),

openings as (
    select * from {{ ref('int_schedule_openings') }}
    where closes_at > opens_at
),

-- The first instant at which the clock shows the age: at the end of an opening, not at the beginning of the next.
reached as (
    select
        targets.source,
        targets.ticket_id,
        targets.time_zone,
        targets.next_at,
        targets.business_age_bucket,
        targets.age_rank,
        case
            when {{ epoch_micros('openings.opens_at') }} + targets.reading - openings.open_before_micros <= {{ epoch_micros('openings.closes_at') }}
                then {{ from_epoch_micros(epoch_micros('openings.opens_at') ~ ' + targets.reading - openings.open_before_micros') }}
        end as reached_at
    from targets
    {{ join_latest('openings', 'openings', ['targets.schedule_id = openings.schedule_id'], 'openings.open_before_micros', 'targets.reading_before') }}
),

business_age_begins as (
    select
        source,
        ticket_id,
        case when business_micros is null then 'unknown' else '{{ business_ages[0][0] }}' end as business_age_bucket,
        0 as age_rank,
        created_on as from_day
    from scheduled
    where step_number = 0
    union all
    select
        source,
        ticket_id,
        business_age_bucket,
        age_rank,
        {{ local_day('reached_at', 'time_zone') }} as from_day
    from reached
    where reached_at is not null and (next_at is null or reached_at <= next_at)
    union all
    -- Time under an unknown schedule is unknown from then on.
    select
        source,
        ticket_id,
        'unknown' as business_age_bucket,
        1000 as age_rank,
        min({{ local_day('happened_at', 'time_zone') }}) as from_day
    from scheduled
    where step_number > 0 and business_micros is null and creation_micros is not null
    group by source, ticket_id
),

business_age_days as (
    select
        source,
        ticket_id,
        business_age_bucket,
        from_day,
        coalesce(lead(from_day) over (partition by source, ticket_id order by age_rank), date '9999-12-31') as until_day
    from business_age_begins
),

changes as (
    select
        {{ columns_without('steps', ['time_zone', 'is_schedule_move', 'schedule_id', 'schedule_micros', 'business_micros', 'happened_at']) }},
        steps.business_micros - first_value(steps.business_micros) over (partition by steps.source, steps.ticket_id order by steps.step_number) as business_age_micros,
        {{ local_day('steps.happened_at', 'steps.time_zone') }} as day
    from steps
),

flows as (
    select
        {{ dimensions }},
        ages.age_bucket,
        coalesce(business_ages.business_age_bucket, 'unknown') as business_age_bucket,
        changes.day,
        count(*) filter (where changes.step_number = 0) as opened,
        count(*) filter (where changes.is_solution) as solved,
        count(*) filter (where changes.is_reopening) as reopened
    from changes
    inner join ages on changes.day - changes.created_on >= ages.from_days and changes.day - changes.created_on < ages.until_days
    left join business_ages on changes.business_age_micros >= business_ages.from_micros and changes.business_age_micros < business_ages.until_micros
    where changes.step_number = 0 or changes.is_solution or changes.is_reopening
    group by all
),

-- A step that opens a ticket, up to the one that follows (a solution, if there is one).
stretches as (
    select
        *,
        coalesce(lead(day) over (partition by source, ticket_id order by step_number), last_day + 1) as until_day
    from changes
    where step_number = 0 or is_solution or is_reopening
),

moves as (
    select
        stretches.*,
        ages.age_bucket,
        business_ages.business_age_bucket,
        greatest(stretches.day, stretches.created_on + ages.from_days, business_ages.from_day) as entered_on,
        least(stretches.until_day, stretches.created_on + ages.until_days, business_ages.until_day) as left_on
    from stretches
    inner join business_age_days as business_ages
        on
            stretches.source = business_ages.source
            and stretches.ticket_id = business_ages.ticket_id
            and stretches.until_day > business_ages.from_day
            and stretches.day < business_ages.until_day
    inner join ages
        on
            stretches.until_day > stretches.created_on + ages.from_days
            and stretches.day < stretches.created_on + ages.until_days
    where not stretches.is_solution and stretches.until_day > stretches.day and business_ages.until_day > business_ages.from_day
),

stock_changes as (
    select
        {{ dimensions }},
        age_bucket,
        business_age_bucket,
        day,
        sum(change) as change
    from (
        select
            {{ dimensions }},
            age_bucket,
            business_age_bucket,
            entered_on as day,
            1 as change
        from moves
        where entered_on < left_on
        union all
        select
            {{ dimensions }},
            age_bucket,
            business_age_bucket,
            left_on as day,
            -1 as change
        from moves
        where entered_on < left_on
    ) as moved
    group by {{ dimensions }}, age_bucket, business_age_bucket, day
),

stocks as (
    select
        {{ dimensions }},
        age_bucket,
        business_age_bucket,
        day,
        cast(sum(change) over ({{ stock }} rows unbounded preceding) as bigint) as backlog,
        lead(day) over ({{ stock }}) as next_day
    from stock_changes
),

backlog_days as (
    select
        {{ dimensions }},
        age_bucket,
        business_age_bucket,
        {{ each_day('day', 'next_day') }} as day,
        backlog
    from stocks
    where backlog > 0
),

together as (
    select
        {{ dimensions }},
        age_bucket,
        business_age_bucket,
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
        business_age_bucket,
        day,
        0 as opened,
        0 as solved,
        0 as reopened,
        backlog
    from backlog_days
)

select
    concat_ws(
        '|', day, source, coalesce(org_unit_id, ''), channel, touch_point, product_line, customer_kind, ticket_kind, priority, age_bucket, business_age_bucket
    ) as backlog_day_id,
    day as backlog_on,
    {{ dimensions }},
    age_bucket,
    business_age_bucket,
    cast(sum(opened) as bigint) as opened,
    cast(sum(solved) as bigint) as solved,
    cast(sum(reopened) as bigint) as reopened,
    cast(sum(backlog) as bigint) as backlog
from together
group by day, {{ dimensions }}, age_bucket, business_age_bucket
