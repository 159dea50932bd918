{#- Patterns of seeds/promise_words.csv as a list of {sense, value, pattern} in the order of their priority, read when the model is compiled. The patterns of a value are
    one regular expression, but for those with groups, which stay apart: joined, their groups would have other numbers. -#}
{% macro promise_words() -%}
    {%- set seed = ref('promise_words') -%}
    {%- set words = [] -%}
    {%- if execute -%}
        {%- set found = run_query(
            "select sense, value, min(priority) as priority, string_agg('(?:' || pattern || ')', '|' order by priority, language, pattern) as pattern from " ~ seed
            ~ " group by sense, value, case when sense in ('within', 'hour') then pattern end order by sense, min(priority), value, pattern"
        ) -%}
        {%- for line in found.rows -%}
            {%- do words.append({'sense': line['sense'], 'value': line['value'] | replace("'", "''"), 'pattern': "'" ~ line['pattern'] | replace("'", "''") ~ "'"}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(words) }}
{%- endmacro %}

{#- A group of the first pattern of a sense that fits. -#}
{% macro first_group(text, words, sense, group_number) -%}
    {%- set chosen = words | selectattr('sense', 'equalto', sense) | list -%}
    {%- if chosen -%}
    case {%- for word in chosen %} when {{ matches_pattern(text, word.pattern) }} then {{ pattern_group(text, word.pattern, group_number) }}{% endfor %} end
    {%- else -%}
    cast(null as varchar)
    {%- endif -%}
{%- endmacro %}

{#- A number in digits or in words; null where it is none. -#}
{% macro number_in_words(text, words) -%}
    coalesce(
        try_cast({{ text }} as integer),
        case {%- for word in words if word.sense == 'number' %} when {{ matches_pattern(text, "'^(?:" ~ word.pattern[1:-1] ~ ")$'") }} then {{ word.value }}{% else %} when false then 0{% endfor %} end
    )
{%- endmacro %}

{#- A commitment names a ticket without saying whose: the source of each ticket id that only one help desk has. -#}
{% macro tickets_of_one_source() -%}
    select
        ticket_id,
        min(source) as source
    from {{ ref('int_ticket_facts') }}
    group by ticket_id
    having count(*) = 1
{%- endmacro %}

{#- Until when each source is known to have recorded what became of commitments: its newest event. -#}
{% macro commitment_horizons() -%}
    select
        source,
        max(greatest(made_at, coalesce(done_at, made_at))) as known_until
    from {{ ref('int_commitments') }}
    where _status = 'used'
    group by source
{%- endmacro %}
