{{ config(materialized='view') }}

select
    source,
    call_event_id,
    call_id,
    agent_id,
    event_kind,
    queue,
    value,
    cast(wait_seconds as integer) as wait_seconds,
    cast(duration_seconds as integer) as duration_seconds,
    sequence_number,
    occurred_at
from {{ ref('int_call_events') }}
-- Lines outside of calls are accounted for, and no steps of a call.
where _status = 'used' and event_kind <> 'outside_call'
