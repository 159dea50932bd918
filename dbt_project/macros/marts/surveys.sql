{#- What is known of an invitation when it is sent, in the order in which a class of invitations is written. Model, representation and
    mode effects read the same list. -#}
{% macro survey_facts() -%}
    {{ return(['channel', 'about_kind', 'customer_kind', 'product_line', 'province', 'tenure_band', 'outcome', 'contacts_band', 'complaint',
        'transferred', 'wait_band', 'solving_band']) }}
{%- endmacro %}

{#- The band of seeds/survey_bands.csv that a number falls into: the one with the highest `from_value` at or below it. Nothing known and
    less than the lowest are `none`. The seed is read when the model is compiled. -#}
{% macro survey_band(fact, expression) -%}
    {%- set seed = ref('survey_bands') -%}
    {%- set branches = [] -%}
    {%- if execute -%}
        {%- for line in run_query("select from_value, band from " ~ seed ~ " where fact = '" ~ fact ~ "' order by from_value desc").rows -%}
            {%- do branches.append("when " ~ expression ~ " >= " ~ line['from_value'] ~ " then '" ~ line['band'] | replace("'", "''") ~ "'") -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if branches -%}
    case
        {%- for branch in branches %}
        {{ branch }}
        {%- endfor %}
        else 'none'
    end
    {%- else -%}
    'none'
    {%- endif -%}
{%- endmacro %}

{#- The period by which a survey is judged: its wave, or the month of a day. -#}
{% macro survey_period(wave, day) -%} coalesce(nullif({{ wave }}, 'unknown'), substr(cast({{ day }} as varchar), 1, 7)) {%- endmacro %}

{#- The closer a pattern is, the more: a whole value before a beginning, a longer beginning before a shorter one. -#}
{% macro pattern_closeness(pattern) -%}
    case when {{ pattern }} like '%*' then length({{ pattern }}) else 1000 end
{%- endmacro %}
