{{ config(materialized='view') }}

with summed as (
    select
        half_hour_id,
        source,
        org_unit_id,
        touch_point,
        queue,
        half_hour_at,
        {% for column in call_half_hour_sums() -%}
        cast(sum({{ column }}) as bigint) as {{ column }},
        {% endfor -%}
        max(longest_wait_seconds) as longest_wait_seconds
    from {{ ref('int_call_half_hours') }}
    group by half_hour_id, source, org_unit_id, touch_point, queue, half_hour_at
),

placed as (
    select
        summed.*,
        {{ local_time('summed.half_hour_at', 'units.time_zone') }} as local_at
    from summed
    left join {{ ref('dim_org_units') }} as units on summed.org_unit_id = units.org_unit_id
)

select
    half_hour_id,
    source,
    org_unit_id,
    'phone' as channel,
    touch_point,
    queue,
    {{ time_of_day('local_at') }} as half_hour,
    entered,
    entered_answered,
    entered_answered_with_wait,
    entered_answered_in_target,
    entered_abandoned,
    entered_short_abandoned,
    entered_flowed_out,
    answered_wait_seconds,
    waited_seconds,
    cast(longest_wait_seconds as bigint) as longest_wait_seconds,
    answered,
    abandoned,
    handled,
    handling_seconds,
    half_hour_at,
    cast(local_at as date) as half_hour_on
from placed
