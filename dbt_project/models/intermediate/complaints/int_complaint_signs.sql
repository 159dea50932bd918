{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'tickets', 'via': {'ticket_events': ['ticket_id']}}},
) }}
{%- set words = complaint_words() %}

-- What the customer wrote on a ticket, first message and replies, is read here and stays here: only the signs leave this query.
with tickets as (
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
),

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
