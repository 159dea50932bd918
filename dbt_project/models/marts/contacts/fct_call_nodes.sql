{{ config(materialized='view') }}

with placed as (
    select
        nodes.*,
        nodes.exclusion_kind is null and nodes.direction = 'inbound' as is_in_base,
        units.time_zone
    from {{ ref('int_call_nodes') }} as nodes
    left join {{ ref('dim_org_units') }} as units on nodes.org_unit_id = units.org_unit_id
)

select
    source,
    call_id,
    node_number,
    node,
    org_unit_id,
    'phone' as channel,
    touch_point,
    {{ or_unknown('product_line') }} as product_line,
    outcome,
    is_in_base,
    case when node_seconds >= 0 then node_seconds end as node_seconds,
    entered_at,
    {{ local_day('entered_at', 'time_zone') }} as entered_on
from placed
