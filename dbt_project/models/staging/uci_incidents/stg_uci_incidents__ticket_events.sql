{{ config(enabled='uci_incidents' in var('sources')) }}

-- One report of the status an event. 27,745 events share their minute with another of the same incident; the number of
-- modifications tells their order.
select
    {{ blank_to_null('number') }} || '/' || sys_mod_count || '/' || sys_updated_at as ticket_event_id,
    number as ticket_id,
    {{ timestamp_column('sys_updated_at', 'occurred_at', format='%d/%m/%Y %H:%M') }},
    sys_mod_count as sequence_number,
    nullif(sys_updated_by, '?') as actor_id,
    case when _problem is null then 'status' end as event_kind,
    {{ map_values('incident_state', 'value', {
        'new': 'new', 'active': 'open', 'awaiting user info': 'pending', 'awaiting vendor': 'hold', 'awaiting problem': 'hold',
        'awaiting evidence': 'hold', 'resolved': 'solved', 'closed': 'closed',
    }) }},
    {{ load_facts('events') }}
from {{ source('uci_incidents', 'events') }}
