{{ config(enabled='uci_incidents' in var('sources')) }}

-- Every event carries the whole incident, so each is a version of it, ordered by the number of modifications; five incidents used a number
-- twice, which the time of the update decides. `?` is the system's word for "nothing".
select
    number as ticket_id,
    nullif(caller_id, '?') as customer_id,
    {{ map_values('contact_type', 'channel', {'phone': 'phone', 'email': 'email', 'self service': 'self_service', 'ivr': 'phone'}) }},
    'incident' as ticket_kind,
    nullif(category, '?') as topic,
    nullif(category_2, '?') as subtopic,
    nullif(cmdb_ci, '?') as asset_id,
    nullif(u_symptom, '?') as fault_code,
    {{ map_values('priority', 'priority', {'1': 'critical', '2': 'high', '3': 'normal', '4': 'low'}) }},
    {{ map_values('incident_state', 'ticket_status', {
        'new': 'new', 'active': 'open', 'awaiting user info': 'pending', 'awaiting vendor': 'hold', 'awaiting problem': 'hold',
        'awaiting evidence': 'hold', 'resolved': 'solved', 'closed': 'closed',
    }) }},
    nullif(assigned_to, '?') as agent_id,
    {{ timestamp_column('opened_at', 'created_at', format='%d/%m/%Y %H:%M') }},
    {{ timestamp_column("nullif(resolved_at, '?')", 'solved_at', format='%d/%m/%Y %H:%M') }},
    {{ timestamp_column("nullif(closed_at, '?')", 'closed_at', format='%d/%m/%Y %H:%M') }},
    nullif(closed_code, '?') as resolution_code,
    reopen_count as reported_reopen_count,
    {{ boolean_column('made_sla', 'reported_sla_met') }},
    try_cast(sys_mod_count as bigint) * 10000000000
    + cast(floor({{ epoch_micros("try_strptime(sys_updated_at, '%d/%m/%Y %H:%M')") }} / 1000000) as bigint) as _version,
    concat_ws(' ', sys_mod_count, sys_updated_at) as _version__raw,
    {{ load_facts('events') }}
from {{ source('uci_incidents', 'events') }}
