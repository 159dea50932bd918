{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'agent_states', 'next_day': true}},
) }}

-- What an agent was seen doing in a half hour, beside what the roster wanted. Rows of one day (UTC) of the stretches' beginning; a roster's stretch is
-- held against what was seen on its own day and the next.
with states as (
    select
        agent_id,
        org_unit_id,
        state_kind,
        state,
        state in ('break', 'training', 'meeting') as is_away,
        started_at,
        ended_at,
        _partition_date,
        max(ended_at) over (
            partition by agent_id, state_kind, _partition_date order by started_at, ended_at, source, agent_state_id rows between unbounded preceding and 1 preceding
        ) as known_until
    from {{ ref('int_agent_states') }}
    where
        _status = 'used' and ended_at > started_at and state <> 'offline'
        {% if is_incremental() %} and _partition_date in (
            select t._partition_date from ({{ touched_partitions() }}) as t union select t._partition_date - 1 from ({{ touched_partitions() }}) as t
        ) {% endif %}
),

-- A stretch that begins before the one before it has ended says that the agent was in two states at once: counted apart, added to nothing.
seen as (
    select
        *,
        coalesce(started_at < known_until, false) as is_overlapping
    from states
    where state_kind = 'actual'
),

planned as (
    select * from states
    where state_kind = 'rostered' and not coalesce(started_at < known_until, false)
),

recorded_days as (
    select distinct _partition_date from seen
),

seen_parts as (
    select
        *,
        {{ each_half_hour('started_at', 'ended_at') }} as half_hour_at
    from seen
),

seen_sums as (
    select
        agent_id,
        {{ last_value_of('org_unit_id', 'started_at') }} as org_unit_id,
        half_hour_at,
        _partition_date,
        sum(seconds) filter (where state = 'ready' and not is_overlapping) as ready_seconds,
        sum(seconds) filter (where state in ('talking', 'wrap_up') and not is_overlapping) as handling_seconds,
        sum(seconds) filter (where state = 'work' and not is_overlapping) as other_work_seconds,
        sum(seconds) filter (where is_away and not is_overlapping) as away_seconds,
        sum(seconds) filter (where is_overlapping) as overlapping_seconds
    from (select *, {{ seconds_in_half_hour('started_at', 'ended_at', 'half_hour_at') }} as seconds from seen_parts) as parts
    group by agent_id, half_hour_at, _partition_date
),

planned_parts as (
    select
        planned.*,
        recorded_days._partition_date is not null as is_recorded,
        {{ each_half_hour('planned.started_at', 'planned.ended_at') }} as half_hour_at
    from planned
    left join recorded_days on planned._partition_date = recorded_days._partition_date
),

planned_sums as (
    select
        agent_id,
        {{ last_value_of('org_unit_id', 'started_at') }} as org_unit_id,
        half_hour_at,
        _partition_date,
        sum(seconds) filter (where not is_away) as rostered_seconds,
        sum(seconds) filter (where is_away) as rostered_away_seconds,
        sum(seconds) filter (where is_recorded) as judged_seconds
    from (select *, {{ seconds_in_half_hour('started_at', 'ended_at', 'half_hour_at') }} as seconds from planned_parts) as parts
    group by agent_id, half_hour_at, _partition_date
),

kept as (
    select
        seen.agent_id,
        seen.org_unit_id,
        greatest(seen.started_at, planned.started_at) as began_at,
        least(seen.ended_at, planned.ended_at) as until_at,
        seen._partition_date
    from seen
    inner join planned
        on
            seen.agent_id = planned.agent_id
            and planned._partition_date between seen._partition_date - 1 and seen._partition_date
            and seen.started_at < planned.ended_at and seen.ended_at > planned.started_at
    inner join recorded_days on planned._partition_date = recorded_days._partition_date
    where not seen.is_overlapping and seen.is_away = planned.is_away
),

kept_parts as (
    select
        *,
        {{ each_half_hour('began_at', 'until_at') }} as half_hour_at
    from kept
),

kept_sums as (
    select
        agent_id,
        max(org_unit_id) as org_unit_id,
        half_hour_at,
        _partition_date,
        sum({{ seconds_in_half_hour('began_at', 'until_at', 'half_hour_at') }}) as adherent_seconds
    from kept_parts
    group by agent_id, half_hour_at, _partition_date
),

together as (
    select * from seen_sums
    union all by name
    select * from planned_sums
    union all by name
    select * from kept_sums
)

select
    concat_ws('|', agent_id, half_hour_at) as agent_half_hour_id,
    agent_id,
    max(org_unit_id) as org_unit_id,
    half_hour_at,
    {% for column in agent_half_hour_sums() -%}
    cast(coalesce(sum({{ column }}), 0) as bigint) as {{ column }},
    {% endfor -%}
    _partition_date
from together
{% if is_incremental() %} where _partition_date in ({{ touched_partitions() }}) {% endif %}
group by agent_id, half_hour_at, _partition_date
having sum(coalesce(ready_seconds, 0) + coalesce(handling_seconds, 0) + coalesce(other_work_seconds, 0) + coalesce(away_seconds, 0)
    + coalesce(overlapping_seconds, 0) + coalesce(rostered_seconds, 0) + coalesce(rostered_away_seconds, 0)) > 0
