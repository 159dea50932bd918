{{ config(enabled='anonymous_bank_calls' in var('sources')) }}

-- A call that found an agent free waited 0 seconds. A call of type TT is the bank calling back, so it is no inbound call.
-- Customer 0 is nobody, and a number that a spreadsheet spoilt (6.02E+11) stands for any of a million customers.
with steps as (
    {{ bank_call_steps(source('anonymous_bank_calls', 'calls')) }}
)

select
    call_key as call_id,
    case when customer_id <> '0' and customer_id not like '%E+%' then customer_id end as customer_id,
    vru_line as line,
    case when type = 'TT' then 'outbound' when _problem is null then 'inbound' end as direction,
    case when server <> 'NO_SERVER' then server end as agent_id,
    type as call_type,
    priority,
    case
        when outcome = 'AGENT' then 'answered'
        when outcome = 'HANG' and was_queued then 'abandoned'
        when outcome = 'HANG' then 'abandoned_in_ivr'
        when outcome <> 'PHANTOM' then outcome
    end as disposition,
    case when outcome = 'HANG' then 'customer' end as ended_by,
    {{ local_to_utc('entered_at', 'Asia/Jerusalem') }} as started_at,
    concat_ws(' ', date, vru_entry) as started_at__raw,
    {{ local_to_utc('queued_at', 'Asia/Jerusalem') }} as queued_at,
    case when was_queued then q_start end as queued_at__raw,
    case when outcome = 'AGENT' then {{ local_to_utc('served_from', 'Asia/Jerusalem') }} end as answered_at,
    case when outcome = 'AGENT' and was_served then ser_start end as answered_at__raw,
    {{ local_to_utc('greatest(left_vru_at, left_queue_at, served_until)', 'Asia/Jerusalem') }} as ended_at,
    vru_exit as ended_at__raw,
    case
        when outcome = 'AGENT' and not was_queued then '0'
        when outcome in ('AGENT', 'HANG') and was_queued then q_time
    end as wait_seconds,
    vru_time as ivr_seconds,
    case when outcome = 'AGENT' and was_served then ser_time end as talk_seconds,
    case when outcome = 'PHANTOM' then 'phantom' end as exclusion_kind,
    {{ load_facts('calls') }}
from steps
