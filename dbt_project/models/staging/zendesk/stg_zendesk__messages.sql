{{ config(enabled='zendesk' in var('sources')) }}

-- Tags say which sessions we began (`proactive`), and what event they are about (`event:<id>`).
select
    id as message_session_id,
    ticket_id,
    visitor_id as customer_id,
    {{ map_values('channel', 'channel', {'web_chat': 'chat', 'wechat': 'social'}) }},
    department_name as org_unit_id,
    {{ zendesk_agent_id("split_part(agent_ids, ' ', 1)") }} as agent_id,
    case
        when try_cast(count_agent as integer) is null or try_cast(count_bot as integer) is null then null
        when try_cast(count_agent as integer) > 0 and try_cast(count_bot as integer) > 0 then 'both'
        when try_cast(count_agent as integer) > 0 then 'human'
        when try_cast(count_bot as integer) > 0 then 'bot'
        else 'nobody'
    end as handled_by,
    {{ boolean_column('missed', 'is_missed') }},
    case when contains(concat(' ', tags, ' '), ' proactive ') then 'outbound' else 'inbound' end as direction,
    nullif(regexp_extract(tags, '(?:^| )event:([^ ]+)', 1), '') as operational_event_id,
    {{ timestamp_column('"timestamp"', 'started_at') }},
    {{ add_seconds(iso_to_utc('"timestamp"'), 'try_cast(response_time_first as bigint)') }} as first_human_reply_at,
    response_time_first as first_human_reply_at__raw,
    {{ timestamp_column('end_timestamp', 'ended_at') }},
    least(try_cast(count_visitor as integer), try_cast(count_agent as integer) + try_cast(count_bot as integer)) as rounds,
    case when least(trim(count_visitor), trim(count_agent), trim(count_bot)) <> '' then concat_ws('/', count_visitor, count_agent, count_bot) end as rounds__raw,
    {{ load_facts('chats') }}
from {{ source('zendesk', 'chats') }}
