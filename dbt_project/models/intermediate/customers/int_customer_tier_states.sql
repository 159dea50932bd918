-- Grade of every customer in every scheme after each evaluation, one column an evaluation: 100 * the evaluation since which he has it + its rank. Each
-- column follows from the one before it, so rising at once, falling late and the minimum stay need no recursion and no sort.
{% set schemes = tier_schemes() %}
{% set months = tier_months() | selectattr('is_graded') | list %}
{% set found = tier_lines() %}
with windows as (
    select * from {{ ref('int_customer_money_windows') }}
),

-- Rank by the lines to enter (r) and by the lines to keep (k).
ranked as (
    select
        windows.*
        {%- for scheme in schemes %}{% set lowest = scheme.grades | length %}
        {%- for month in months %}{% set lines = found.get(scheme.scheme, {}).get(month.position) %}
        {%- if lines %}{% set value = 'windows.' ~ tier_measure(scheme) ~ '_m' ~ month.position %},
        case
            when windows.customer_kind in ('{{ scheme.kinds | join("', '") }}') and {{ value }} is not null{{ ' and windows.first_month <= ' ~ month.month_number if scheme.basis != 'standing_orders' }}
                then {{ tier_rank(value, lines, lowest, 0) }}
        end as r{{ scheme.number }}_{{ month.position }},
        {{ tier_rank(value, lines, lowest, 1) }} as k{{ scheme.number }}_{{ month.position }}
        {%- endif %}{% endfor %}{% endfor %}
    from windows
),
{% set previous = namespace(relation='ranked', position=none) %}
{% for month in months %}
after_{{ month.position }} as (
    select
        {{ previous.relation }}.*
        {%- for scheme in schemes %}{% set lines = found.get(scheme.scheme, {}).get(month.position) %}
        {%- set r = 'r' ~ scheme.number ~ '_' ~ month.position %}{% set k = 'k' ~ scheme.number ~ '_' ~ month.position %}
        {%- set before = 's' ~ scheme.number ~ '_' ~ previous.position if previous.position is not none else 'cast(null as smallint)' %},
        cast(
            {%- if not lines %} {{ before }}
            {%- elif previous.position is none %} {{ 100 * month.position }} + {{ r }}
            {%- else %}
            case
                when {{ r }} is null then null
                when {{ before }} is null or {{ r }} < {{ before }} % 100 then {{ 100 * month.position }} + {{ r }}
                when {{ k }} > {{ before }} % 100 and {{ before }} < {{ 100 * (month.position - scheme.minimum_stay_months + 1) }} then {{ 100 * month.position }} + {{ r }}
                else {{ before }}
            end
            {%- endif %} as smallint
        ) as s{{ scheme.number }}_{{ month.position }}
        {%- endfor %}
    from {{ previous.relation }}
),
{% set previous.relation = 'after_' ~ month.position %}{% set previous.position = month.position %}
{% endfor %}
final as (
    select
        customer_number,
        customer_kind
        {%- for measure in tier_measures(schemes) %}{% for month in months %},
        {{ measure }}_m{{ month.position }}
        {%- endfor %}{% endfor %}
        {%- for scheme in schemes %}{% set evaluated = namespace(position=none) %}{% for month in months %}
        {%- if found.get(scheme.scheme, {}).get(month.position) %}{% set evaluated.position = month.position %}{% endif %},
        s{{ scheme.number }}_{{ month.position }},
        {%- set s = 's' ~ scheme.number ~ '_' ~ month.position ~ ' % 100' %}{% set at = scheme.number ~ '_' ~ evaluated.position %}
        cast(
            {%- if evaluated.position is none %} 0 {%- else %}
            case when r{{ at }} > {{ s }} then case when k{{ at }} <= {{ s }} then 1 else 2 end else 0 end
            {%- endif %} as tinyint
        ) as h{{ scheme.number }}_{{ month.position }}
        {%- endfor %}{% endfor %}
    from {{ previous.relation }}
)

select * from final
