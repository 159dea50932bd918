-- Customers by value, best first, all with the same value together: what share of the money the best have, how unequal it is, and where the lines lie that
-- are drawn by share. Everything is made of counts by value, because five million customers have far fewer values than rows.
{% set schemes = tier_schemes() %}
{% set months = tier_months() | selectattr('is_graded') | list %}
{% set populations = tier_populations(schemes) %}
with windows as (
    select * from {{ ref('int_customer_money_windows') }}
)
{% for population in populations %},

valued_{{ population.population }} as (
    {% for month in months %}
    select
        {{ month.position }} as position,
        windows.{{ population.measure }}_m{{ month.position }} as cents,
        count(*) as customers
    from windows
    where
        windows.customer_kind in ('{{ population.kinds | join("', '") }}')
        {{ 'and windows.standing_orders is not null' if population.basis == 'standing_orders' else 'and windows.first_month <= ' ~ month.month_number }}
        and windows.{{ population.measure }}_m{{ month.position }} is not null
    group by windows.{{ population.measure }}_m{{ month.position }}
    {{ 'union all' if not loop.last }}
    {% else %}
    select
        cast(null as integer) as position,
        cast(null as bigint) as cents,
        cast(null as bigint) as customers
    where false
    {% endfor %}
),

-- Whole people and whole cents: the limits are exact, and what is compared with them below is exact too as far as sums stay below 2^53 cents.
totals_{{ population.population }} as (
    select
        position,
        sum(customers) as everyone,
        coalesce(sum(customers) filter (where cents > 0), 0) as paying,
        coalesce(sum(cast(cents as hugeint) * customers) filter (where cents > 0), 0) as positive_money
    from valued_{{ population.population }}
    group by position
),

limits_{{ population.population }} as (
    select
        position,
        cast(everyone as double) as everyone,
        cast(paying as bigint) as paying,
        cast(positive_money as bigint) as positive_money
        {%- for scheme in population.schemes if scheme.cut_kind != 'amount' %}{% for grade in scheme.grades if grade.cut is not none %}
        {%- for which, cut in [('enter', grade.cut), ('keep', [grade.cut * (1 + scheme.hysteresis), 1] | min)] %},
        cast({{ whole_quotient(in_parts(cut, 12) ~ ' * cast(' ~ ('paying' if scheme.cut_kind == 'customer_share' else 'positive_money') ~ ' as hugeint)'
            ~ (' + 999999999999' if scheme.cut_kind == 'customer_share' or scheme.crossing == 'in' else ''), 'cast(1000000000000 as hugeint)') }} as double) as limit_{{ scheme.scheme }}_{{ grade.rank }}_{{ which }}
        {%- endfor %}{% endfor %}{% endfor %}
    from totals_{{ population.population }}
),

ordered_{{ population.population }} as (
    select
        valued.position,
        valued.cents,
        cast(valued.customers as double) as customers,
        cast(valued.cents as double) * valued.customers as money,
        coalesce(sum(cast(valued.customers as double)) over best_first, 0) as better,
        coalesce(sum(cast(valued.cents as double) * valued.customers) over best_first, 0) as money_above,
        {{ columns_without('limits', ['position']) }}
    from valued_{{ population.population }} as valued
    inner join limits_{{ population.population }} as limits on valued.position = limits.position
    window best_first as (partition by valued.position order by valued.cents desc rows between unbounded preceding and 1 preceding)
),

measured_{{ population.population }} as (
    select
        '{{ population.population }}' as population,
        '{{ population.basis }}' as basis,
        cast({{ population.window }} as integer) as window_months,
        '{{ population.kinds | join(";") }}' as customer_kinds,
        position,
        cast(max(everyone) as bigint) as customers,
        cast(max(paying) as bigint) as paying_customers,
        cast(coalesce(sum(customers) filter (where cents < 0), 0) as bigint) as losing_customers,
        cast(sum(money) as bigint) as cents,
        cast(max(positive_money) as bigint) as positive_cents,
        -- Sum of (2i - n - 1) x over n people, poorest first, for all of one value at once.
        round(sum(money * (everyone - 2 * better - customers)) / nullif(max(everyone) * sum(money), 0), 9) as inequality,
        {% for point in range(0, 21) %}
        round(sum(cast(cents as double) * least(customers, greatest(0, everyone * {{ point }} / 20.0 - better))) / nullif(sum(money), 0), 9) as money_share_{{ 5 * point }},
        {%- endfor %}
        {% for scheme in population.schemes if scheme.cut_kind != 'amount' %}{% for grade in scheme.grades if grade.cut is not none %}
        {%- for which, cut in [('enter', grade.cut), ('keep', [grade.cut * (1 + scheme.hysteresis), 1] | min)] %}
        min(cents) filter (
            where cents > 0
            {%- set limit = 'limit_' ~ scheme.scheme ~ '_' ~ grade.rank ~ '_' ~ which %}
            {%- if scheme.cut_kind == 'customer_share' %}
            and {{ 'better' if scheme.ties == 'up' else 'better + customers - 1' }} < {{ limit }}
            {%- else %}
            and {{ 'money_above' if scheme.ties == 'up' else 'money_above + money - cents' }}{{ ' + cents <= ' if scheme.crossing == 'out' else ' < ' }}{{ limit }}
            {%- endif %}
        ) as {{ scheme.scheme }}_{{ grade.rank }}_{{ which }},
        {%- endfor %}{% endfor %}{% endfor %}
        count(*) as different_values
    from ordered_{{ population.population }}
    group by position
)
{% endfor %}

{% for population in populations %}
select * from measured_{{ population.population }}
{{ 'union all by name' if not loop.last }}
{% else %}
select cast(null as varchar) as population
from windows
where false
{% endfor %}
