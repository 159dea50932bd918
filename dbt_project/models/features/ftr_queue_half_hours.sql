-- As `csatlas staffing` asks a snapshot (dashboards.data.queues), for every queue, over the newest days. Who is rostered for a queue are the agents who answered more
-- calls from it than from any other in these days. A queue of units in two time zones is shown on the earlier of their clocks.
with legs as (
    select * from {{ ref('fct_call_legs') }}
),

half_hours as (
    select * from {{ ref('fct_half_hours') }}
),

agent_half_hours as (
    select * from {{ ref('fct_agent_half_hours') }}
),

ends as (
    select
        max(half_hour_on) as as_of,
        max(half_hour_on) - cast({{ threshold('staffing_days') }} as integer) + 1 as first_on
    from half_hours
),

queues as (
    select distinct queue from half_hours
    where queue is not null
),

targets as (
    select
        queues.queue,
        {% for column in ['service_level', 'within_seconds', 'definition', 'model', 'shrinkage'] -%}
        {{ last_value_of('t.' ~ column, sort_key(['t.queue = queues.queue', 'length(t.queue)'])) }} as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from queues
    inner join {{ ref('staffing_targets') }} as t on {{ fits_pattern('queues.queue', 't.queue') }}
    group by queues.queue
),

calls as (
    select
        half_hours.queue,
        half_hours.half_hour_at,
        min(cast(concat(half_hours.half_hour_on, ' ', half_hours.half_hour) as timestamp)) as local_at,
        sum(half_hours.entered) as calls,
        sum(half_hours.entered_answered) as answered,
        sum(half_hours.entered_abandoned) as abandoned,
        sum(half_hours.waited_seconds) as waited_seconds,
        sum(half_hours.handled) as handled,
        sum(half_hours.handling_seconds) as handling_seconds
    from half_hours
    cross join ends
    where half_hours.half_hour_on between ends.first_on and ends.as_of
    group by half_hours.queue, half_hours.half_hour_at
),

in_time as (
    select
        legs.queue,
        {{ half_hour_of('legs.began_at') }} as half_hour_at,
        count(case when legs.is_answered then 1 end) as answered_in_target,
        count(case when legs.is_abandoned then 1 end) as abandoned_in_target
    from legs
    inner join targets on legs.queue = targets.queue
    cross join ends
    where legs.began_on between ends.first_on and ends.as_of and legs.wait_seconds <= targets.within_seconds
    group by legs.queue, {{ half_hour_of('legs.began_at') }}
),

answers as (
    select
        legs.agent_id,
        legs.queue,
        count(*) as legs
    from legs
    cross join ends
    where legs.outcome = 'answered' and legs.began_on between ends.first_on and ends.as_of
    group by legs.agent_id, legs.queue
),

own_queues as (
    select
        agent_id,
        queue
    from answers
    qualify row_number() over (partition by agent_id order by legs desc, queue asc) = 1
),

rosters as (
    select
        own_queues.queue,
        agent_half_hours.half_hour_at,
        min(cast(concat(agent_half_hours.half_hour_on, ' ', agent_half_hours.half_hour) as timestamp)) as local_at,
        sum(agent_half_hours.rostered_seconds) as rostered_seconds
    from agent_half_hours
    inner join own_queues on agent_half_hours.agent_id = own_queues.agent_id
    cross join ends
    where agent_half_hours.half_hour_on between ends.first_on and ends.as_of
    group by own_queues.queue, agent_half_hours.half_hour_at
    having sum(agent_half_hours.rostered_seconds) > 0
),

rostered_queues as (
    select distinct queue from rosters
),

both_sides as (
    select
        coalesce(calls.queue, rosters.queue) as queue,
        coalesce(calls.half_hour_at, rosters.half_hour_at) as half_hour_at,
        coalesce(calls.local_at, rosters.local_at) as local_at,
        {% for column in ['calls', 'answered', 'abandoned', 'waited_seconds', 'handled', 'handling_seconds'] -%}
        coalesce(calls.{{ column }}, 0) as {{ column }},
        {% endfor -%}
        rosters.rostered_seconds
    from calls
    full outer join rosters on calls.queue = rosters.queue and calls.half_hour_at = rosters.half_hour_at
)

select
    both_sides.queue,
    both_sides.half_hour_at,
    cast(both_sides.local_at as date) as half_hour_on,
    {{ time_of_day('both_sides.local_at') }} as half_hour,
    case when days.is_working_day then 'working_day' else 'day_off' end as day_type,
    {% for column in ['calls', 'answered', 'abandoned', 'waited_seconds', 'handled', 'handling_seconds'] -%}
    cast(both_sides.{{ column }} as bigint) as {{ column }},
    {% endfor -%}
    coalesce(in_time.answered_in_target, 0) as answered_in_target,
    coalesce(in_time.abandoned_in_target, 0) as abandoned_in_target,
    cast(case when rostered_queues.queue is not null then coalesce(both_sides.rostered_seconds, 0) end as bigint) as rostered_seconds,
    targets.service_level,
    targets.within_seconds,
    targets.definition,
    targets.model,
    targets.shrinkage,
    ends.first_on,
    ends.as_of
from both_sides
inner join targets on both_sides.queue = targets.queue
cross join ends
left join in_time on both_sides.queue = in_time.queue and both_sides.half_hour_at = in_time.half_hour_at
left join rostered_queues on both_sides.queue = rostered_queues.queue
left join {{ ref('dim_calendar') }} as days on cast(both_sides.local_at as date) = days.day
