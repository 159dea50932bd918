{#- A threshold of seeds/service_thresholds.csv. -#}
{% macro threshold(name) -%}
    (select t.value from {{ ref('service_thresholds') }} as t where t.threshold = '{{ name }}')
{%- endmacro %}

{#- Local time of a UTC instant in the unit's time zone. The zone of most rows is a constant, which DuckDB converts far faster
    than one that it looks up for each row. -#}
{% macro local_time(utc_timestamp, time_zone_sql) -%}
    {%- set default_zone = "'" ~ var('default_time_zone') ~ "'" -%}
    {%- set zone = "coalesce(" ~ time_zone_sql ~ ", " ~ default_zone ~ ")" -%}
    case
        when {{ zone }} = {{ default_zone }} then {{ utc_to_local(utc_timestamp, default_zone) }}
        else {{ utc_to_local(utc_timestamp, zone) }}
    end
{%- endmacro %}

{% macro local_day(utc_timestamp, time_zone_sql) -%} cast({{ local_time(utc_timestamp, time_zone_sql) }} as date) {%- endmacro %}

{% macro or_unknown(expression) -%} coalesce({{ expression }}, 'unknown') {%- endmacro %}

{#- Feeds whose rows the governance marts count: every feed has its int_ model. -#}
{% macro all_feeds() -%}
    {{ return(['org_units', 'agents', 'agent_states', 'customers', 'customer_identifiers', 'account_parties', 'subscriptions',
        'transactions', 'tickets', 'ticket_events', 'calls', 'call_events', 'messages', 'survey_invitations',
        'survey_responses', 'survey_answers', 'qa_reviews', 'commitments', 'customer_actions', 'improvement_actions',
        'operational_events', 'external_measures']) }}
{%- endmacro %}

{#- The shape of a row for people who need to know what is wrong with it, not whom it is about: every letter and digit is
    replaced, signs and lengths stay. Who may see the original finds it in raw by file and record number. -#}
{% macro masked(text) -%}
    regexp_replace(regexp_replace(regexp_replace({{ text }}, '[0-9０-９]', '#', 'g'), '[\p{Han}]', '□', 'g'), '[A-Za-z\x{00C0}-\x{024F}\x{0370}-\x{1FFF}\x{3040}-\x{30FF}\x{AC00}-\x{D7AF}]', 'x', 'g')
{%- endmacro %}

{#- What is added up of a half hour: by the intermediate model over the calls or states of a day, by the mart over the days. -#}
{% macro call_half_hour_sums() -%}
    {{ return(['entered', 'entered_answered', 'entered_answered_with_wait', 'entered_answered_in_target', 'entered_abandoned', 'entered_short_abandoned',
        'entered_flowed_out', 'answered_wait_seconds', 'waited_seconds', 'answered', 'abandoned', 'handled', 'handling_seconds']) }}
{%- endmacro %}

{% macro agent_half_hour_sums() -%}
    {{ return(['ready_seconds', 'handling_seconds', 'other_work_seconds', 'away_seconds', 'overlapping_seconds', 'rostered_seconds',
        'rostered_away_seconds', 'judged_seconds', 'adherent_seconds']) }}
{%- endmacro %}
