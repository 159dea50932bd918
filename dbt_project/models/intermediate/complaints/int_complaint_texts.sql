{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'tickets', 'via': {'ticket_events': ['ticket_id']}}},
) }}
{%- set rules = cause_rules() %}

-- Texts for the classifier of causes stay in this schema, without addresses, numbers and signatures. Nothing below a feature or score reads them.
with {{ ticket_texts() }},

signed as (
    select
        signs.source,
        signs.ticket_id
    from {{ ref('int_complaint_signs') }} as signs
),

prepared as (
    select
        tickets.source,
        tickets.ticket_id,
        trim({{ without_personal_data('texts.text') }}) as text,
        tickets._partition_date
    from tickets
    inner join signed on tickets.source = signed.source and tickets.ticket_id = signed.ticket_id
    inner join texts on tickets.source = texts.source and tickets.ticket_id = texts.ticket_id
)

select
    source,
    ticket_id,
    coalesce(text, '') as text,
    {{ lot_of("coalesce(text, '')") }} as text_key,
    case when {{ has_han('text') }} then 'zh' when {{ matches_pattern('text', "'[a-z]{2}'") }} then 'en' else 'unknown' end as text_language,
    cast({% if rules %}case {%- for rule in rules %} when {{ matches_pattern('text', rule.pattern) }} then '{{ rule.cause }}'{% endfor %} end{% else %}null{% endif %} as varchar) as rule_cause,
    _partition_date
from prepared
