{{ config(materialized='view') }}

select
    source,
    ticket_event_id,
    ticket_id,
    actor_id,
    {{ or_unknown('actor_role') }} as actor_role,
    event_kind,
    value,
    sequence_number,
    occurred_at
from {{ ref('int_ticket_events') }}
where _status = 'used'
