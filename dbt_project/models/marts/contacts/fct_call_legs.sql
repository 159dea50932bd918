{{ config(materialized='view') }}

with judged as (
    select
        legs.*,
        units.time_zone,
        legs.exclusion_kind is null and legs.direction = 'inbound' as is_in_base
    from {{ ref('int_call_legs') }} as legs
    left join {{ ref('dim_org_units') }} as units on legs.org_unit_id = units.org_unit_id
)

select
    source,
    call_id,
    leg_number,
    agent_id,
    org_unit_id,
    'phone' as channel,
    touch_point,
    {{ or_unknown('product_line') }} as product_line,
    direction,
    {{ or_unknown('queue') }} as queue,
    outcome,
    flow_out_to,
    transferred_to,
    {{ or_unknown('ended_by') }} as ended_by,
    is_in_base,
    is_in_base and outcome = 'answered' as is_answered,
    is_in_base and outcome = 'abandoned' as is_abandoned,
    is_in_base and outcome = 'answered' and is_transferred as is_transferred,
    is_in_base and outcome = 'answered' and is_conferenced as is_conferenced,
    is_last_leg,
    is_last_answer,
    answered_legs,
    cast(case when wait_seconds >= 0 then wait_seconds end as integer) as wait_seconds,
    cast(case when talk_seconds >= 0 then talk_seconds end as integer) as talk_seconds,
    cast(hold_seconds as integer) as hold_seconds,
    cast(wrap_up_seconds as integer) as wrap_up_seconds,
    cast(
        case when outcome = 'answered' and talk_seconds >= 0 then talk_seconds + coalesce(hold_seconds, 0) + coalesce(wrap_up_seconds, 0) end as integer
    ) as handle_seconds,
    rings_without_answer,
    offers,
    holds,
    began_at,
    entered_at,
    answered_at,
    left_queue_at,
    released_at,
    {{ local_day('began_at', 'time_zone') }} as began_on
from judged
