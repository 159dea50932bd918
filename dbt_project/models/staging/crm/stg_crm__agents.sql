{{ config(enabled='crm' in var('sources')) }}

select
    agent_no as agent_id,
    name as agent_name,
    unit_code as org_unit_id,
    lower(role) as agent_role,
    skills,
    email,
    hired as hired_on,
    "left" as left_on,
    valid_from,
    valid_to,
    {{ load_facts('agents') }}
from {{ source('crm', 'agents') }}
