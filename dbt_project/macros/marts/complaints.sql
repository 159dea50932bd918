{#- Senses of seeds/complaint_words.csv as a list of {sense, value, pattern} in the order of their priority: the patterns of a value are one regular
    expression, read when the model is compiled, because a constant one is compiled once and one of a join once for each text. -#}
{% macro complaint_words() -%}
    {%- set seed = ref('complaint_words') -%}
    {%- set words = [] -%}
    {%- if execute -%}
        {%- set found = run_query("select sense, value, min(priority) as priority, string_agg('(?:' || pattern || ')', '|' order by priority, language, pattern) as pattern from " ~ seed ~ " group by sense, value order by sense, min(priority), value") -%}
        {%- for line in found.rows -%}
            {%- do words.append({'sense': line['sense'], 'value': line['value'] | replace("'", "''"), 'pattern': "'" ~ line['pattern'] | replace("'", "''") ~ "'"}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(words) }}
{%- endmacro %}

{#- Whether a text has a sense at all. -#}
{% macro has_sense(text, words, sense) -%}
    ({%- for word in words if word.sense == sense %}{{ matches_pattern(text, word.pattern) }}{{ ' or ' if not loop.last }}{% else %}false{% endfor -%})
{%- endmacro %}

{#- The first value of a sense that a text has, null without one. -#}
{% macro first_sense(text, words, sense) -%}
    {%- set chosen = words | selectattr('sense', 'equalto', sense) | list -%}
    {%- if chosen -%}
    case {%- for word in chosen %} when {{ matches_pattern(text, word.pattern) }} then '{{ word.value }}'{% endfor %} end
    {%- else -%}
    cast(null as varchar)
    {%- endif -%}
{%- endmacro %}

{#- What a customer wrote, for the patterns: without markup, without the mails it quotes, in small letters and half-width forms. -#}
{% macro readable(text) -%}
    {%- set unquoted = "regexp_replace(regexp_replace(" ~ text ~ ", '(?is)(-{3,} ?original message|\\n[^\\n]{0,200} wrote:|\\n ?(from|发件人|發件人) ?[:：]).*', ''), '(?m)^ *>.*$', '', 'g')" -%}
    {%- set plain = "replace(regexp_replace(regexp_replace(" ~ unquoted ~ ", '(?is)<(script|style)[^>]{0,500}>.*?</(script|style)>', ' ', 'g'), '<[^<>]{1,500}>', ' ', 'g'), '&nbsp;', ' ')" -%}
    lower({{ folded("regexp_replace(" ~ plain ~ ", '\\s+', ' ', 'g')") }})
{%- endmacro %}

{#- Cause by which two complaints of a customer are about the same thing: the topic, which finds more of those that truly came back than the root cause does (docs/complaints.md). -#}
{% macro complaint_cause(topic) -%} nullif({{ topic }}, 'unknown') {%- endmacro %}

{#- CTEs `tickets` (used ones; of an increment those it touches) and `texts` (source, ticket_id, text): what the customer wrote on a ticket, subject, first message and replies, for the patterns. -#}
{% macro ticket_texts() -%}
tickets as (
    select * from {{ ref('int_tickets') }}
    where
        _status = 'used'
        {% if is_incremental() %} and _partition_date in ({{ touched_partitions() }}) {% endif %}
),

replies as (
    select
        e.source,
        e.ticket_id,
        string_agg(left(e.body, cast({{ threshold('complaint_text_length') }} as bigint)), chr(10) order by e.occurred_at, e.ticket_event_id) as replies
    from {{ ref('int_ticket_events') }} as e
    where
        e._status = 'used' and e.event_kind = 'public_reply' and e.actor_role = 'customer' and trim(coalesce(e.body, '')) <> ''
        and {{ quick_hash(['e.source', 'e.ticket_id']) }} in (select {{ quick_hash(['t.source', 't.ticket_id']) }} from tickets as t)
    group by e.source, e.ticket_id
),

written as (
    select
        tickets.source,
        tickets.ticket_id,
        left(concat_ws(chr(10), tickets.subject, tickets.description, replies.replies), cast({{ threshold('complaint_text_length') }} as bigint)) as written
    from tickets
    left join replies on tickets.source = replies.source and tickets.ticket_id = replies.ticket_id
),

texts as (
    select
        source,
        ticket_id,
        case
            when {{ matches_pattern('written', "'(?i)[<>]|original message| wrote:|from ?[:：]|发件人|發件人'") }} then {{ readable('written') }}
            else lower({{ folded('written') }})
        end as text
    from written
)
{%- endmacro %}
