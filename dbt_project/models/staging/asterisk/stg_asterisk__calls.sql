{{ config(enabled='asterisk' in var('sources')) }}

-- One call record. Of a call that came in, `answer` is the moment the exchange picked up; when an agent answered stands in the
-- queue log. Of a call that we made, it is the moment the customer answered, and the agent is on the calling channel.
-- In the user field stand the marks of the agent (`mk` nuisance or misdirected, `sv` whether the matter was solved), and in `ev` the
-- operational event of which a notice tells.
with parsed as (
    select
        *,
        dcontext in ('outbound-callback', 'outbound-notice') as is_outbound,
        regexp_extract(case when dcontext in ('outbound-callback', 'outbound-notice') then channel else dstchannel end, 'Agent/([0-9]+)', 1) as agent_number,
        regexp_extract(userfield, '(?:^|;)prod=([^;]*)', 1) as product,
        regexp_extract(userfield, '(?:^|;)aw=([^;]*)', 1) as announced,
        regexp_extract(userfield, '(?:^|;)hu=([^;]*)', 1) as hung_up,
        regexp_extract(userfield, '(?:^|;)path=([^;]*)', 1) as path,
        regexp_extract(userfield, '(?:^|;)tk=([^;]*)', 1) as ticket,
        regexp_extract(userfield, '(?:^|;)mk=([^;]*)', 1) as mark,
        regexp_extract(userfield, '(?:^|;)sv=([^;]*)', 1) as solved,
        regexp_extract(userfield, '(?:^|;)ev=([^;]*)', 1) as event_number
    from {{ source('asterisk', 'cdr') }}
)

select
    uniqueid as call_id,
    case when is_outbound then dst else src end as caller_identifier,
    ticket as ticket_id,
    case when is_outbound then src else dst end as line,
    {{ map_values('dcontext', 'direction', {
        'from-pstn': 'inbound', 'test-lines': 'inbound', 'outbound-callback': 'outbound', 'outbound-notice': 'outbound', 'from-internal': 'internal',
    }) }},
    case when lastapp in ('Queue', 'VoiceMail') then lastdata end as queue,
    path as ivr_path,
    accountcode as org_unit_id,
    case when agent_number <> '' then concat('A', agent_number) end as agent_id,
    product as product_line,
    dcontext as call_type,
    case
        when is_outbound and disposition = 'ANSWERED' then 'answered'
        when is_outbound and disposition = 'BUSY' then 'busy'
        when is_outbound then 'failed'
        when agent_number <> '' then 'answered'
        when lastapp = 'Queue' then 'abandoned'
        when lastapp = 'VoiceMail' or lastdata = 'callback-taken' then 'flow_out'
        when lastapp = 'Playback' and lastdata like 'selfservice-%' then 'contained'
        when lastapp = 'BackGround' then 'abandoned_in_ivr'
        when _problem is null then 'failed'
    end as disposition,
    {{ map_values('hung_up', 'ended_by', {'caller': 'customer'}) }},
    event_number as operational_event_id,
    announced as announced_wait_seconds,
    {{ timestamp_column('start', 'started_at', tz='Asia/Shanghai') }},
    {{ timestamp_column("case when is_outbound then answer end", 'answered_at', tz='Asia/Shanghai') }},
    {{ timestamp_column('"end"', 'ended_at', tz='Asia/Shanghai') }},
    case when is_outbound and disposition = 'ANSWERED' then billsec end as talk_seconds,
    case
        when dcontext = 'test-lines' then 'test'
        when dcontext = 'from-internal' then 'internal'
        when mark in ('nuisance', 'misdirected') then mark
        when lastapp = 'Hangup' and try_cast(duration as integer) <= 2 and disposition = 'NO ANSWER' then 'phantom'
    end as exclusion_kind,
    {{ boolean_column('solved', 'is_marked_solved') }},
    {{ load_facts('cdr') }}
from parsed
