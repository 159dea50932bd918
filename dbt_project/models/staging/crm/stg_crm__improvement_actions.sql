{{ config(enabled='crm' in var('sources')) }}

select
    action_no as improvement_action_id,
    lower(kind) as action_kind,
    problem,
    root_cause,
    plan,
    owner_agent_no as owner_agent_id,
    unit_code as org_unit_id,
    scope,
    start_date as started_on,
    done_date as done_on,
    check_date as checked_on,
    lower(status) as action_status,
    {{ load_facts('corrective_actions') }}
from {{ source('crm', 'corrective_actions') }}
