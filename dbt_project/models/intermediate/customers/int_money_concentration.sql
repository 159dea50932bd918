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

ordered_{{ population.population }} as (
    select
        position,
        cents,
        customers,
        cast(cents as hugeint) * customers as money,
        coalesce(sum(customers) over best_first, 0) as better,
        coalesce(sum(cast(cents as hugeint) * customers) over best_first, 0) as money_above,
        sum(customers) over everybody as everyone,
        coalesce(sum(case when cents > 0 then customers end) over everybody, 0) as paying,
        coalesce(sum(case when cents > 0 then cast(cents as hugeint) * customers end) over everybody, 0) as positive_money
    from valued_{{ population.population }}
    window
        best_first as (partition by position order by cents desc rows between unbounded preceding and 1 preceding),
        everybody as (partition by position)
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
        round(cast(sum(money * (everyone - 2 * better - customers)) as double) / nullif(cast(max(everyone) * sum(money) as double), 0), 9) as inequality,
        {% for point in range(0, 21) %}
        round(sum(cast(cents as double) * least(customers, greatest(0, everyone * {{ point }} / 20.0 - better))) / nullif(cast(sum(money) as double), 0), 9) as money_share_{{ 5 * point }},
        {%- endfor %}
        {% for scheme in population.schemes if scheme.cut_kind != 'amount' %}{% for grade in scheme.grades if grade.cut is not none %}
        {%- for which, cut in [('enter', grade.cut), ('keep', [grade.cut * (1 + scheme.hysteresis), 1] | min)] %}
        min(cents) filter (
            where cents > 0
            {%- set parts = in_parts(cut, 12) %}
            {%- if scheme.cut_kind == 'customer_share' %}
            and {{ 'better' if scheme.ties == 'up' else '(better + customers - 1)' }} * cast(1000000000000 as hugeint) < {{ parts }} * cast(paying as hugeint)
            {%- else %}
            and ({{ 'money_above' if scheme.ties == 'up' else 'money_above + money - cents' }}{{ ' + cents' if scheme.crossing == 'out' }}) * cast(1000000000000 as hugeint)
            {{ '<=' if scheme.crossing == 'out' else '<' }} {{ parts }} * cast(positive_money as hugeint)
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
