{{ config(enabled='crm' in var('sources')) }}

-- Planned activities and observed states, each a stretch of time of one agent.
{% set codes = {'on_shift': 'ready', 'back_office': 'work', 'wrapup': 'wrap_up', 'ready': 'ready', 'talking': 'talking',
                'break': 'break', 'training': 'training', 'meeting': 'meeting', 'offline': 'offline'} %}
{% for table, id, column, kind in [('rosters', 'roster_id', 'activity', 'rostered'), ('agent_states', 'state_id', 'state', 'actual')] %}
select
    {{ id }} as agent_state_id,
    agent_no as agent_id,
    '{{ kind }}' as state_kind,
    {{ map_values(column, 'state', codes) }},
    unit_code as org_unit_id,
    {{ timestamp_column('start_time', 'started_at', tz='Asia/Shanghai', format='%Y/%m/%d %H:%M:%S') }},
    {{ timestamp_column('end_time', 'ended_at', tz='Asia/Shanghai', format='%Y/%m/%d %H:%M:%S') }},
    {{ load_facts(table) }}
from {{ source('crm', table) }}
{{ 'union all' if not loop.last }}
{% endfor %}
