-- The newest stretch of each agent; names and addresses stay in the intermediate layer.
select
    agent_id,
    source,
    org_unit_id,
    {{ or_unknown('agent_role') }} as agent_role,
    skills,
    hired_on,
    left_on,
    left_on is null as is_employed
from {{ ref('int_agents') }}
where _status = 'used'
qualify row_number() over (partition by agent_id order by valid_from desc nulls last, source asc) = 1
