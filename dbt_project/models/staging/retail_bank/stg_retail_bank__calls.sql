{{ config(enabled='retail_bank' in var('sources')) }}

-- The log has one pair of times a call, those of the service, so the call begins there and its wait is unknown. 984 lines have neither number
-- nor outcome: their key is the line itself. PHANTOM is no customer's call.
with lines as (
    select * from {{ log_lines(source('retail_bank', 'calls'), [
        'date_received', 'complaint_id', 'rand_client', 'phonefinal', 'vru_line', 'call_id', 'priority', 'type', 'outcome',
        'server', 'ser_start', 'ser_exit', 'ser_time',
    ]) }} as numbered
)

select
    coalesce({{ blank_to_null('vru_line') }} || '-' || {{ blank_to_null('call_id') }}, 'line-' || log_row_id) as call_id,
    '+1 ' || {{ blank_to_null('phonefinal') }} as caller_identifier,
    rand_client as customer_id,
    complaint_id as ticket_id,
    vru_line as line,
    case when _problem is null then 'inbound' end as direction,
    case when _problem is null then 'retail-bank' end as org_unit_id,
    nullif(server, 'NO_SERVER') as agent_id,
    type as call_type,
    priority,
    case outcome when 'AGENT' then 'answered' when 'HANG' then 'abandoned' when 'PHANTOM' then null else outcome end as disposition,
    case when outcome = 'HANG' then 'customer' end as ended_by,
    {{ timestamp_column("date_received || ' ' || ser_start", 'started_at', tz='America/New_York') }},
    {{ timestamp_column("case when outcome = 'AGENT' then date_received || ' ' || ser_start end", 'answered_at', tz='America/New_York') }},
    {{ timestamp_column("date_received || ' ' || ser_exit", 'ended_at', tz='America/New_York') }},
    case
        when outcome = 'AGENT'
            then
                3600 * try_cast(split_part(ser_time, ':', 1) as integer) + 60 * try_cast(split_part(ser_time, ':', 2) as integer)
                + try_cast(split_part(ser_time, ':', 3) as integer)
    end as talk_seconds,
    case when outcome = 'AGENT' then ser_time end as talk_seconds__raw,
    case when outcome = 'PHANTOM' then 'phantom' end as exclusion_kind,
    {{ load_facts('calls') }}
from lines
