-- A line of the control seeds that names what is not there, or no kind of chart, would have no effect, and nobody would see it.
select
    'control_charts' as seed,
    c.metric as named
from {{ ref('control_charts') }} as c
where
    c.chart_kind not in ('p', 'laney_p', 'u', 'laney_u', 'c', 'xmr', 'g')
    or c.direction not in ('up', 'down')
    or coalesce(c.minimum_base, 0) < 1
    or coalesce(c.final_days, 0) < 1
    or c.owner is null
    or concat('gain ', c.gain) not in (select concat(v.dimension, ' ', v.value) from {{ ref('value_labels') }} as v)
    or c.metric not in (
        {%- for group in control_measures() %}
        {%- set last_group = loop.last %}
        {%- for entry in group.metrics %}
        '{{ entry.metric }}'{{ ',' if not (loop.last and last_group) }}
        {%- endfor %}
        {%- endfor %}
    )
union all
select
    'unit_targets' as seed,
    concat(t.metric, ' ', t.org_unit_id) as named
from {{ ref('unit_targets') }} as t
where t.metric not in (select c.metric from {{ ref('control_charts') }} as c) or t.org_unit_id is null or t.valid_from is null or t.target is null
union all
select
    'promise_kinds' as seed,
    p.ticket_kind as named
from {{ ref('promise_kinds') }} as p
where p.promise_kind not in ('enquiry', 'complaint', 'transaction')
