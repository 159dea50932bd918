{{ config(enabled='asterisk' in var('sources')) }}

-- One line of the queue log. Lines of no call (agents joining, breaks; the exchange writes NONE for the call) are kept as
-- 'outside_call', without a call.
select
    log_row_id as call_event_id,
    case when callid <> 'NONE' then callid end as call_id,
    {{ epoch_column('"time"', 'occurred_at') }},
    _record_number as sequence_number,
    case
        when callid = 'NONE' then 'outside_call'
        when event = 'UNPAUSE' and data1 = 'wrapup' then 'wrap_up'
        when event in ('ANNOUNCE', 'PAUSE', 'UNPAUSE', 'ADDMEMBER', 'REMOVEMEMBER', 'QUEUESTART') then 'other'
        when event = 'DID' then 'enter_ivr'
        when event = 'IVRNODE' then 'node'
        when event = 'IVREND' then 'exit_ivr'
        when event = 'ENTERQUEUE' then 'enter_queue'
        when event = 'RINGNOANSWER' then 'ring_no_answer'
        when event = 'CONNECT' then 'answered'
        when event = 'HOLD' then 'held'
        when event = 'UNHOLD' then 'resumed'
        when event in ('ATTENDEDTRANSFER', 'BLINDTRANSFER') then 'transferred'
        when event in ('COMPLETEAGENT', 'COMPLETECALLER') then 'completed'
        when event = 'ABANDON' then 'abandoned'
        when event in ('EXITWITHTIMEOUT', 'EXITWITHKEY') then 'flow_out'
        else event
    end as event_kind,
    case when agent like 'Agent/%' then concat('A', substr(agent, 7)) end as agent_id,
    case when queuename <> 'NONE' then queuename end as queue,
    case event
        when 'COMPLETEAGENT' then 'agent'
        when 'COMPLETECALLER' then 'customer'
        when 'EXITWITHTIMEOUT' then 'voicemail'
        when 'EXITWITHKEY' then 'callback'
        when 'ENTERQUEUE' then null
        when 'ANNOUNCE' then concat('announce:', data1)
        when 'PAUSE' then concat('pause:', data1)
        when 'UNPAUSE' then concat('unpause:', data1)
        when 'ADDMEMBER' then 'join'
        when 'REMOVEMEMBER' then 'leave'
        when 'QUEUESTART' then 'start'
        else case when callid = 'NONE' then lower(event) else data1 end
    end as value,
    case event
        when 'CONNECT' then data1
        when 'ABANDON' then data3
        when 'EXITWITHTIMEOUT' then data3
        when 'EXITWITHKEY' then data4
    end as wait_seconds,
    case event
        when 'COMPLETEAGENT' then data2
        when 'COMPLETECALLER' then data2
        when 'UNHOLD' then data1
        when 'IVREND' then data2
        when 'ATTENDEDTRANSFER' then data4
        when 'BLINDTRANSFER' then data4
        when 'RINGNOANSWER' then coalesce(cast(round(try_cast(data1 as double) / 1000) as varchar), data1)
        when 'UNPAUSE' then case when data1 = 'wrapup' then data2 end
    end as duration_seconds,
    {{ load_facts('queue_log') }}
from {{ log_lines(source('asterisk', 'queue_log'), ['time', 'callid', 'queuename', 'agent', 'event', 'data1', 'data2', 'data3', 'data4', 'data5']) }} as lines
