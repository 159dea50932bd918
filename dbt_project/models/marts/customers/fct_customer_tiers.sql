-- Only the evaluations that changed a grade, or gave the first one. How long it holds is the number of later evaluations with the same state: no sort.
{% set schemes = tier_schemes() %}
{% set months = tier_months() | selectattr('is_graded') | list %}
{% set found = tier_lines() %}
with states as (
    select * from {{ ref('int_customer_tier_states') }}
),

months as (
    select * from {{ ref('int_tier_months') }}
),

schemes as (
    select * from {{ ref('tier_schemes') }}
),

data_months as (
    select distinct
        lines.scheme,
        lines.position,
        lines.data_months
    from {{ ref('int_tier_lines') }} as lines
),

changes as (
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
)

select
    customers.customer_key,
    customers.customer_kind,
    customers.org_unit_id,
    changes.scheme,
    grades.is_default as is_default_scheme,
    grades.grade,
    changes.grade_rank,
    previous.grade as previous_grade,
    changes.previous_rank as previous_grade_rank,
    case when changes.previous_rank is null then 'entered' when changes.grade_rank < changes.previous_rank then 'up' else 'down' end as tier_move,
    case
        when changes.previous_rank is null then 'entered'
        when changes.grade_rank < changes.previous_rank then 'reached_line'
        when changes.cents < 0 then 'loss'
        when changes.cents = 0 then 'no_turnover'
        when changes.was_held = 2 then 'stay_over'
        else 'below_line'
    end as tier_reason,
    grades.basis,
    grades.window_months,
    data_months.data_months,
    {{ from_cents('changes.cents') }} as value_amount,
    {{ from_cents('changes.previous_cents') }} as previous_value_amount,
    {{ from_cents('changes.line_cents') }} as line_amount,
    grades.basis = 'revenue' and changes.cents < 0 as is_refund_above_charges,
    ended.position is null as is_current,
    case when ended.position is null then case changes.is_held when 1 then 'hysteresis' when 2 then 'minimum_stay' end end as held_by,
    months.month as evaluated_month,
    months.valid_from,
    ended.valid_from as valid_to
from changes
inner join {{ ref('int_customer_numbers') }} as customers on changes.customer_number = customers.customer_number
inner join months on changes.position = months.position
inner join schemes as grades on changes.scheme = grades.scheme and changes.grade_rank = grades.grade_rank
inner join data_months on changes.scheme = data_months.scheme and changes.position = data_months.position
left join schemes as previous on changes.scheme = previous.scheme and changes.previous_rank = previous.grade_rank
left join months as ended on changes.until_position = ended.position
