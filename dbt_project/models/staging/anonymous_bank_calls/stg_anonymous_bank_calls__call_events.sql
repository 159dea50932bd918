{{ config(enabled='anonymous_bank_calls' in var('sources')) }}

-- A call's line unrolled into its steps: into and out of the voice unit, into the queue, its end there, service. The times of the
-- answer and of the queue's end come from two clocks a second or two apart; the wait is the queue's own count. Where the service clock has
-- the answer before the queue was entered (73 calls), the call was answered when the queue ended: it was in the queue once and not answered past it.
-- Service times of a call that no agent took (hung up, phantom) are kept as a step that no metric reads.
with steps as (
    {{ bank_call_steps(source('anonymous_bank_calls', 'calls')) }}
),

entered as (
    select
        call_key || '/0' as call_event_id,
        call_key as call_id,
        {{ local_to_utc('entered_at', 'Asia/Jerusalem') }} as occurred_at,
        concat_ws(' ', date, vru_entry) as occurred_at__raw,
        0 as _sub_record,
        case when _problem is null then 'enter_ivr' end as event_kind,
        null as agent_id,
        type as value,
        null as wait_seconds,
        null as duration_seconds,
        {{ load_facts('calls') }}
    from steps
),

left_menu as (
    select
        call_key || '/1' as call_event_id,
        call_key as call_id,
        {{ local_to_utc('left_vru_at', 'Asia/Jerusalem') }} as occurred_at,
        vru_exit as occurred_at__raw,
        1 as _sub_record,
        'exit_ivr' as event_kind,
        null as agent_id,
        null as value,
        null as wait_seconds,
        vru_time as duration_seconds,
        {{ load_facts('calls') }}
    from steps
    where {{ blank_to_null('vru_exit') }} is not null
),

queued as (
    select
        call_key || '/2' as call_event_id,
        call_key as call_id,
        {{ local_to_utc('queued_at', 'Asia/Jerusalem') }} as occurred_at,
        q_start as occurred_at__raw,
        2 as _sub_record,
        'enter_queue' as event_kind,
        null as agent_id,
        null as value,
        null as wait_seconds,
        null as duration_seconds,
        {{ load_facts('calls') }}
    from steps
    where was_queued
),

ended_waiting as (
    select
        call_key || '/3' as call_event_id,
        call_key as call_id,
        {{ local_to_utc("case when outcome <> 'AGENT' or served_from < queued_at then left_queue_at else coalesce(served_from, left_queue_at, left_vru_at) end", 'Asia/Jerusalem') }} as occurred_at,
        concat_ws(' ', date, vru_exit) as occurred_at__raw,
        3 as _sub_record,
        case outcome when 'AGENT' then 'answered' when 'HANG' then 'abandoned' else 'other' end as event_kind,
        case when server <> 'NO_SERVER' then server end as agent_id,
        case when outcome not in ('AGENT', 'HANG') then outcome end as value,
        case when was_queued then q_time else '0' end as wait_seconds,
        null as duration_seconds,
        {{ load_facts('calls') }}
    from steps
    where was_queued or outcome = 'AGENT'
),

served as (
    select
        call_key || '/4' as call_event_id,
        call_key as call_id,
        {{ local_to_utc('served_until', 'Asia/Jerusalem') }} as occurred_at,
        ser_exit as occurred_at__raw,
        4 as _sub_record,
        case when outcome = 'AGENT' then 'completed' else 'other' end as event_kind,
        case when server <> 'NO_SERVER' then server end as agent_id,
        case when outcome <> 'AGENT' then 'service without an agent' end as value,
        null as wait_seconds,
        ser_time as duration_seconds,
        {{ load_facts('calls') }}
    from steps
    where was_served
),

final as (
    select *, _sub_record as sequence_number from entered
    union all
    select *, _sub_record as sequence_number from left_menu
    union all
    select *, _sub_record as sequence_number from queued
    union all
    select *, _sub_record as sequence_number from ended_waiting
    union all
    select *, _sub_record as sequence_number from served
)

select * from final
