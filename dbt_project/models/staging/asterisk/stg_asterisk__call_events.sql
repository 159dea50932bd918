{{ config(enabled='asterisk' in var('sources')) }}

-- One line of the queue log. Lines of no call (agents joining, breaks) carry the call id NONE and are 'other'.
select
    {{ log_row_id(['time', 'callid', 'queuename', 'agent', 'event', 'data1', 'data2', 'data3', 'data4', 'data5']) }} as call_event_id,
    callid as call_id,
    {{ epoch_column('time', 'occurred_at') }},
    _record_number as sequence_number,
    case event
        when 'DID' then 'enter_ivr'
        when 'IVRNODE' then 'node'
        when 'IVREND' then 'exit_ivr'
        when 'ENTERQUEUE' then 'enter_queue'
        when 'RINGNOANSWER' then 'ring_no_answer'
        when 'CONNECT' then 'answered'
        when 'HOLD' then 'held'
        when 'UNHOLD' then 'resumed'
        when 'ATTENDEDTRANSFER' then 'transferred'
        when 'BLINDTRANSFER' then 'transferred'
        when 'COMPLETEAGENT' then 'completed'
        when 'COMPLETECALLER' then 'completed'
        when 'ABANDON' then 'abandoned'
        when 'EXITWITHTIMEOUT' then 'flow_out'
        when 'EXITWITHKEY' then 'flow_out'
        when 'UNPAUSE' then case when data1 = 'wrapup' then 'wrap_up' else 'other' end
        when 'ANNOUNCE' then 'other'
        when 'PAUSE' then 'other'
        when 'ADDMEMBER' then 'other'
        when 'REMOVEMEMBER' then 'other'
        when 'QUEUESTART' then 'other'
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
        else data1
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
        when 'RINGNOANSWER' then cast(round(try_cast(data1 as double) / 1000) as varchar)
        when 'UNPAUSE' then case when data1 = 'wrapup' then data2 end
    end as duration_seconds,
    {{ load_facts('queue_log') }}
from {{ source('asterisk', 'queue_log') }}
