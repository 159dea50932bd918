{%- set dimensions = {
    'customer_kind': 'parts.customer_kind', 'product_line': 'parts.product_line', 'channel': 'parts.channel', 'province': 'parts.province_id', 'city': 'parts.city_id'
} %}
-- Which customers, businesses, channels and departments a metric has data of; `unknown` is a value with a share of its own.
with parts as (
    select
        metric,
        mart,
        customer_kind,
        product_line,
        channel,
        province_id,
        city_id,
        day,
        coalesce(denominator, numerator) as base
    from {{ ref('ftr_control_parts') }}
),

split as (
    {%- for name, column in dimensions.items() %}
    select
        parts.metric,
        parts.mart,
        '{{ name }}' as dimension,
        {{ or_unknown(column) }} as dimension_value,
        sum(parts.base) as base,
        min(parts.day) as first_day,
        max(parts.day) as last_day
    from parts
    group by all
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select
    metric,
    mart,
    dimension,
    dimension_value,
    dimension_value <> 'unknown' as is_known,
    cast(base as bigint) as base,
    base / nullif(sum(base) over (partition by metric, dimension), 0) as share,
    first_day,
    last_day
from split
