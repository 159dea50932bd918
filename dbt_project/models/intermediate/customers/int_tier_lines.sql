-- What each grade asked of a customer in each month, in cents of the window that is known: an amount is cut down to the months of the window that were
-- delivered, and a share becomes the value of the last customer within it.
{% set schemes = tier_schemes() %}
{% set populations = tier_populations(schemes) %}
with months as (
    select * from {{ ref('int_tier_months') }}
),

concentration as (
    select * from {{ ref('int_money_concentration') }}
),

schemes as (
    select
        schemes.scheme,
        schemes.basis,
        schemes.window_months,
        schemes.minimum_months
    from {{ ref('tier_schemes') }} as schemes
    where schemes.grade_rank = 1
),

known as (
    select
        schemes.scheme,
        months.position,
        any_value(schemes.basis) as basis,
        any_value(schemes.minimum_months) as minimum_months,
        count(*) filter (where inside.has_data) as data_months,
        sum(inside.cost_known_amount) / nullif(sum(inside.billed_amount), 0) as cost_known_share
    from schemes
    inner join months on months.is_graded
    inner join months as inside on months.position >= inside.position and months.position - schemes.window_months < inside.position
    group by schemes.scheme, months.position
),

states as (
    select
        known.scheme,
        known.data_months,
        known.cost_known_share,
        months.position,
        months.month,
        months.valid_from,
        case
            when known.basis = 'standing_orders'
                then case when months.position = (select max(m.position) from months as m) then 'evaluated' else 'undated' end
            when not months.has_data then 'no_data'
            when known.data_months < known.minimum_months then 'too_few_months'
            when known.basis = 'profit' and coalesce(known.cost_known_share, 0) < {{ threshold('tier_least_cost_known') }} then 'cost_unknown'
            else 'evaluated'
        end as evaluation_state
    from known
    inner join months on known.position = months.position
),

lines as (
    {% for population in populations %}{% set outer = loop %}{% for scheme in population.schemes %}{% set last = loop.last and outer.last %}{% for grade in scheme.grades %}
    select
        '{{ scheme.scheme }}' as scheme,
        '{{ grade.grade }}' as grade,
        cast({{ grade.rank }} as integer) as grade_rank,
        '{{ population.population }}' as population,
        states.position,
        concentration.customers,
        {% if grade.cut is none -%}
        cast(null as bigint) as enter_cents,
        cast(null as bigint) as keep_cents
        {%- elif scheme.cut_kind == 'amount' -%}
        {%- set months_known, window = ('1', 1) if scheme.basis == 'standing_orders' else ('states.data_months', scheme.window_months) %}
        cast(ceil(cast({{ in_parts(grade.cut, 6) }} as double) * {{ months_known }} / {{ 10000 * window }}) as bigint) as enter_cents,
        cast(ceil(cast({{ in_parts(grade.cut - (grade.cut | abs) * scheme.hysteresis, 6) }} as double) * {{ months_known }} / {{ 10000 * window }}) as bigint) as keep_cents
        {%- else -%}
        concentration.{{ scheme.scheme }}_{{ grade.rank }}_enter as enter_cents,
        concentration.{{ scheme.scheme }}_{{ grade.rank }}_keep as keep_cents
        {%- endif %}
    from states
    left join concentration on concentration.population = '{{ population.population }}' and states.position = concentration.position
    where states.scheme = '{{ scheme.scheme }}'
    {{ 'union all' if not (last and loop.last) }}
    {% endfor %}{% endfor %}{% else %}
    select
        cast(null as varchar) as scheme,
        concentration.position
    from concentration
    where false
    {% endfor %}
)

select
    lines.*,
    states.month,
    states.valid_from,
    cast(states.data_months as integer) as data_months,
    states.cost_known_share,
    states.evaluation_state
from lines
inner join states on lines.scheme = states.scheme and lines.position = states.position
