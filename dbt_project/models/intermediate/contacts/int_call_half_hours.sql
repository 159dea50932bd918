{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'calls', 'via': {'call_events': ['call_id']}}},
) }}

-- Sums that can be added up: what the calls of one day did in a half hour. A call that comes in before midnight and is answered after it adds to
-- half hours of two days, and stands with its own day here, so that the day can be made anew alone.
with service_level_targets as (
    select * from {{ service_level_targets_of(ref('int_call_legs'), where='_partition_date in (' ~ touched_partitions() ~ ')' if is_incremental() else 'true') }} as held
),

legs as (
    select
        {{ columns_without('legs', ['queue']) }},
        service_level_targets.target_seconds,
        service_level_targets.short_abandon_seconds,
        {{ or_unknown('legs.queue') }} as queue,
        exclusion_kind is null and direction = 'inbound' as is_in_base,
        {{ add_seconds('answered_at', 'talk_seconds + coalesce(hold_seconds, 0) + coalesce(wrap_up_seconds, 0)') }} as handled_until
    from {{ ref('int_call_legs') }} as legs
    {{ join_service_level_targets('legs', 'call_started_at') }}
    {% if is_incremental() %} where legs._partition_date in ({{ touched_partitions() }}) {% endif %}
),

arrivals as (
    select
        source,
        org_unit_id,
        touch_point,
        queue,
        {{ half_hour_of('began_at') }} as half_hour_at,
        _partition_date,
        count(*) as entered,
        count(*) filter (where outcome = 'answered') as entered_answered,
        count(*) filter (where outcome = 'answered' and wait_seconds is not null) as entered_answered_with_wait,
        count(*) filter (where outcome = 'answered' and wait_seconds <= target_seconds) as entered_answered_in_target,
        count(*) filter (where outcome = 'abandoned') as entered_abandoned,
        count(*) filter (where outcome = 'abandoned' and wait_seconds <= short_abandon_seconds) as entered_short_abandoned,
        count(*) filter (where outcome = 'flow_out') as entered_flowed_out,
        sum(case when outcome = 'answered' then wait_seconds end) as answered_wait_seconds,
        sum(wait_seconds) as waited_seconds,
        max(wait_seconds) as longest_wait_seconds,
        0 as answered,
        0 as abandoned,
        0 as handling_seconds
    from legs
    where is_in_base
    group by all
),

ends as (
    select
        source,
        org_unit_id,
        touch_point,
        queue,
        {{ half_hour_of('left_queue_at') }} as half_hour_at,
        _partition_date,
        count(*) filter (where outcome = 'answered') as answered,
        count(*) filter (where outcome = 'abandoned') as abandoned,
        count(*) filter (where outcome = 'answered' and talk_seconds >= 0) as handled
    from legs
    where is_in_base and outcome in ('answered', 'abandoned') and left_queue_at is not null
    group by all
),

worked as (
    select
        source,
        org_unit_id,
        touch_point,
        queue,
        answered_at,
        handled_until,
        _partition_date,
        {{ each_half_hour('answered_at', 'handled_until') }} as half_hour_at
    from legs
    where is_in_base and answered_at is not null and talk_seconds >= 0
),

handling as (
    select
        source,
        org_unit_id,
        touch_point,
        queue,
        half_hour_at,
        _partition_date,
        sum({{ seconds_in_half_hour('answered_at', 'handled_until', 'half_hour_at') }}) as handling_seconds
    from worked
    group by all
),

together as (
    select * from arrivals
    union all by name
    select * from ends
    union all by name
    select * from handling
)

select
    concat_ws('|', source, org_unit_id, touch_point, queue, half_hour_at) as half_hour_id,
    source,
    org_unit_id,
    touch_point,
    queue,
    half_hour_at,
    {% for column in call_half_hour_sums() -%}
    cast(coalesce(sum({{ column }}), 0) as bigint) as {{ column }},
    {% endfor -%}
    max(longest_wait_seconds) as longest_wait_seconds,
    _partition_date
from together
group by all
