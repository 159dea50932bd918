{#- Calendar quarters. A quarter's number counts on from year to year, so that neighbours differ by 1. -#}
{% macro quarter_number(day) -%} cast(year({{ day }}) * 4 + quarter({{ day }}) as integer) {%- endmacro %}

{% macro quarter_start_of(day) -%} cast(date_trunc('quarter', {{ day }}) as date) {%- endmacro %}

{#- One row a quarter from the one of a day to the one of another, both included: its first day; stands in a select list. -#}
{% macro each_quarter(first_day, last_day) -%}
    cast(unnest(generate_series({{ quarter_start_of(first_day) }}, {{ quarter_start_of(last_day) }}, interval '3 months')) as date)
{%- endmacro %}

{% macro months_after(day, number_sql) -%} cast({{ day }} + to_months({{ number_sql }}) as date) {%- endmacro %}

{#- How many different members of a small numbered set the rows of a group have that fulfil a condition; each row carries 2 to the power of its number. -#}
{% macro count_of_bits(bit, condition) -%} bit_count(bit_or({{ bit }}) filter (where {{ condition }})) {%- endmacro %}

{#- Of a common table expression that is read more than once: make it each time with the columns that are needed, instead of keeping it whole. -#}
{% macro not_kept() -%} not materialized {%- endmacro %}
