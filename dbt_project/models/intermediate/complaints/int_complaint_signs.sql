{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'tickets', 'via': {'ticket_events': ['ticket_id']}}},
) }}
{%- set words = complaint_words() %}

-- What the customer wrote on a ticket, first message and replies, is read here and stays here: only the signs leave this query.
with {{ ticket_texts() }},

signs as (
    select
        source,
        ticket_id,
        trim(text) = '' as is_without_text,
        {{ first_sense('text', words, 'dissatisfaction') }} as text_dissatisfaction,
        {{ has_sense('text', words, 'praise') }} as is_praise,
        {{ first_sense('text', words, 'claim') }} as text_claim,
        {{ first_sense('text', words, 'escalation') }} as text_escalation,
        {{ first_sense('text', words, 'object') }} as text_object
    from texts
)

select
    tickets.source,
    tickets.ticket_id,
    coalesce(signs.is_without_text, true) as is_without_text,
    cast(signs.text_dissatisfaction as varchar) as text_dissatisfaction,
    coalesce(signs.is_praise, false) as is_praise,
    cast(signs.text_claim as varchar) as text_claim,
    cast(signs.text_escalation as varchar) as text_escalation,
    cast(signs.text_object as varchar) as text_object,
    tickets.claim_kind,
    tickets.claim_amount,
    tickets.remedy_kind,
    tickets.remedy_amount,
    tickets.claim_currency,
    tickets.dispute_stage,
    tickets._partition_date
from tickets
left join signs on tickets.source = signs.source and tickets.ticket_id = signs.ticket_id
where
    tickets.ticket_kind = 'complaint' or tickets.claim_kind is not null or tickets.dispute_stage is not null
    or (signs.text_dissatisfaction is not null and (signs.text_claim is not null or signs.text_escalation is not null)) or signs.text_escalation in ('court', 'regulator', 'media')
