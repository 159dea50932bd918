{% set points = range(0, 21) | list %}
with found as (
    select
        concentration.*,
        months.month as evaluated_month
    from {{ ref('int_money_concentration') }} as concentration
    inner join {{ ref('int_tier_months') }} as months on concentration.position = months.position
    where concentration.cents > 0
)

{% for point in points %}
select
    found.basis,
    found.window_months,
    found.customer_kinds,
    cast({{ 5 * point }} as integer) as customer_percent,
    found.money_share_{{ 5 * point }} as best_first_share,
    round(1 - found.money_share_{{ 100 - 5 * point }}, 9) as poorest_first_share,
    found.evaluated_month
from found
{{ 'union all' if not loop.last }}
{% endfor %}
