-- Everybody who has a grade, by the grade before and after each evaluation. Who stayed is in it too, so that it also says how many have a grade, and with
-- what money.
{% set schemes = tier_schemes() %}
{% set months = tier_months() | selectattr('is_graded') | list %}
{% set found = tier_lines() %}
with states as (
    select * from {{ ref('int_customer_tier_states') }}
),

schemes as (
    select * from {{ ref('tier_schemes') }}
),

moves as (
    {% for scheme in schemes %}{% set number = scheme.number %}{% set name = scheme.scheme %}{% set measure = tier_measure(scheme) %}
    {%- for month in months if found.get(name, {}).get(month.position) %}
    {%- set before = 'states.s' ~ number ~ '_' ~ (month.position - 1) ~ ' % 100' if month.position > months[0].position else 'cast(null as smallint)' %}
    select
        '{{ name }}' as scheme,
        cast({{ month.position }} as integer) as position,
        states.customer_kind,
        {{ before }} as previous_rank,
        states.s{{ number }}_{{ month.position }} % 100 as grade_rank,
        count(*) as customers,
        count(*) filter (where states.h{{ number }}_{{ month.position }} > 0) as held_customers,
        sum(states.{{ measure }}_m{{ month.position }}) as cents,
        {{ 'sum(states.' ~ measure ~ '_m' ~ (month.position - 1) ~ ')' if month.position > months[0].position else 'cast(null as hugeint)' }} as previous_cents
    from states
    where states.s{{ number }}_{{ month.position }} is not null
    group by states.customer_kind, {{ before }}, states.s{{ number }}_{{ month.position }} % 100
    union all
    {%- endfor %}{% endfor %}
    select
        cast(null as varchar) as scheme,
        cast(null as integer) as position,
        cast(null as varchar) as customer_kind,
        cast(null as smallint) as previous_rank,
        cast(null as smallint) as grade_rank,
        cast(null as bigint) as customers,
        cast(null as bigint) as held_customers,
        cast(null as hugeint) as cents,
        cast(null as hugeint) as previous_cents
    from states
    where false
)

select
    moves.scheme,
    grades.is_default as is_default_scheme,
    moves.customer_kind,
    coalesce(previous.grade, 'none') as previous_grade,
    grades.grade,
    cast(grades.grade_rank as integer) as grade_rank,
    case
        when previous.grade is null then 'entered'
        when grades.grade_rank < previous.grade_rank then 'up'
        when grades.grade_rank > previous.grade_rank then 'down'
        else 'stayed'
    end as tier_move,
    moves.customers,
    moves.held_customers,
    {{ from_cents('moves.cents') }} as value_amount,
    {{ from_cents('moves.previous_cents') }} as previous_value_amount,
    months.month as evaluated_month,
    months.valid_from - 1 as evaluated_on
from moves
inner join {{ ref('int_tier_months') }} as months on moves.position = months.position
inner join schemes as grades on moves.scheme = grades.scheme and moves.grade_rank = grades.grade_rank
left join schemes as previous on moves.scheme = previous.scheme and moves.previous_rank = previous.grade_rank
