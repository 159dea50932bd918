-- One pass over each mart for all of its metrics. A row is there when anything was counted: a day on which nothing of a metric's base came has no row
-- of it, except for what is counted per day, whose days are filled by `ftr_control_points`.
with
{%- for group in control_measures() %}
{{ group.mart }}_days as (
    select
        org_unit_id,
        {%- for column in ['channel', 'product_line', 'customer_kind'] %}
        {{ "'unknown' as " if column in group.get('without', []) }}{{ column }},
        {%- endfor %}
        {{ group.clock }} as day,
        {%- for entry in group.metrics %}
        {% if entry.sum -%}
        cast(coalesce(sum({{ entry.sum }}) filter (where {{ entry.denominator }}), 0) as bigint)
        {%- else -%}
        count(*) filter (where {{ entry.numerator }})
        {%- endif %} as {{ entry.metric }}__numerator,
        count(*) filter (where {{ entry.denominator or entry.numerator }}) as {{ entry.metric }}__denominator{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref(group.mart) }}
    where {{ group.clock }} is not null
    group by all
),
{% endfor %}
counted as (
    {%- for group in control_measures() %}
    {%- set last_group = loop.last %}
    {%- for entry in group.metrics %}
    select
        '{{ entry.metric }}' as metric,
        '{{ group.mart }}' as mart,
        org_unit_id,
        channel,
        product_line,
        customer_kind,
        day,
        {{ entry.metric }}__numerator as numerator,
        {{ entry.metric }}__denominator as denominator,
        {{ 'false' if entry.denominator else 'true' }} as is_per_day
    from {{ group.mart }}_days
    where {{ entry.metric }}__denominator > 0
    {%- if not (loop.last and last_group) %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- endfor %}
)

select
    counted.metric,
    counted.mart,
    counted.org_unit_id,
    units.province_id,
    units.city_id,
    counted.channel,
    counted.product_line,
    counted.customer_kind,
    counted.day,
    counted.numerator,
    case when not counted.is_per_day then counted.denominator end as denominator,
    counted.is_per_day
from counted
inner join {{ ref('control_charts') }} as charts on counted.metric = charts.metric
left join {{ ref('dim_org_units') }} as units on counted.org_unit_id = units.org_unit_id
