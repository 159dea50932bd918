{{ config(materialized='view') }}

with summed as (
    select
        agent_half_hour_id,
        agent_id,
        max(org_unit_id) as org_unit_id,
        half_hour_at,
        {% for column in agent_half_hour_sums() -%}
        cast(sum({{ column }}) as bigint) as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('int_agent_half_hours') }}
    group by agent_half_hour_id, agent_id, half_hour_at
),

placed as (
    select
        {{ columns_without('summed', ['org_unit_id']) }},
        coalesce(summed.org_unit_id, agents.org_unit_id) as org_unit_id
    from summed
    left join {{ ref('dim_agents') }} as agents on summed.agent_id = agents.agent_id
),

local_times as (
    select
        placed.*,
        {{ local_time('placed.half_hour_at', 'units.time_zone') }} as local_at
    from placed
    left join {{ ref('dim_org_units') }} as units on placed.org_unit_id = units.org_unit_id
)

select
    agent_half_hour_id,
    agent_id,
    org_unit_id,
    'phone' as channel,
    {{ time_of_day('local_at') }} as half_hour,
    ready_seconds,
    handling_seconds,
    other_work_seconds,
    away_seconds,
    overlapping_seconds,
    rostered_seconds,
    rostered_away_seconds,
    judged_seconds,
    adherent_seconds,
    half_hour_at,
    cast(local_at as date) as half_hour_on
from local_times
