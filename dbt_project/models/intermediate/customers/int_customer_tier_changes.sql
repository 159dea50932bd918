-- Only the evaluations that changed a grade, or gave the first one. How long it holds is the number of later evaluations with the same state: no sort.
{% set schemes = tier_schemes() %}
{% set months = tier_months() | selectattr('is_graded') | list %}
{% set found = tier_lines() %}
with states as (
    select * from {{ ref('int_customer_tier_states') }}
)

{% for scheme in schemes %}{% set measure = tier_measure(scheme) %}
{%- for month in months if month.position in found.get(scheme.scheme, {}) %}{% set lines = found[scheme.scheme][month.position] %}
{%- set s = 'states.s' ~ scheme.number ~ '_' ~ month.position %}
{%- set is_first = month.position == months[0].position %}
{%- set before = 'cast(null as smallint)' if is_first else 'states.s' ~ scheme.number ~ '_' ~ (month.position - 1) %}
{%- set value = 'states.' ~ measure ~ '_m' ~ month.position %}
select
    '{{ scheme.scheme }}' as scheme,
    states.customer_number,
    cast({{ month.position }} as integer) as position,
    cast({{ month.position }}
    {%- for later in months if later.position >= month.position %} + case when states.s{{ scheme.number }}_{{ later.position }} = {{ s }} then 1 else 0 end
    {%- endfor %} as integer) as until_position,
    cast({{ s }} % 100 as integer) as grade_rank,
    cast({{ before }} % 100 as integer) as previous_rank,
    {{ value }} as cents,
    {{ 'cast(null as bigint)' if is_first else 'states.' ~ measure ~ '_m' ~ (month.position - 1) }} as previous_cents,
    cast(
        case
            when {{ before }} is null or {{ s }} % 100 < {{ before }} % 100
                then case {{ s }} % 100 {% for rank, line in lines.items() %}when {{ rank }} then {{ 'null' if line[0] is none else line[0] }} {% endfor %}end
            else case {{ before }} % 100 {% for rank, line in lines.items() %}when {{ rank }} then {{ 'null' if line[1] is none else line[1] }} {% endfor %}end
        end as bigint
    ) as line_cents,
    {{ 'cast(0 as tinyint)' if is_first else 'states.h' ~ scheme.number ~ '_' ~ (month.position - 1) }} as was_held,
    states.h{{ scheme.number }}_{{ months[-1].position }} as is_held
from states
where {{ s }} between {{ 100 * month.position }} and {{ 100 * month.position + 99 }}
union all
{% endfor %}
{%- endfor %}
select
    cast(null as varchar) as scheme,
    cast(null as integer) as customer_number,
    cast(null as integer) as position,
    cast(null as integer) as until_position,
    cast(null as integer) as grade_rank,
    cast(null as integer) as previous_rank,
    cast(null as bigint) as cents,
    cast(null as bigint) as previous_cents,
    cast(null as bigint) as line_cents,
    cast(null as tinyint) as was_held,
    cast(null as tinyint) as is_held
from states
where false
