{{ config(enabled='crm' in var('sources')) }}

select
    commitment_id,
    lower(kind) as commitment_kind,
    purpose,
    about_type as about_kind,
    about_id,
    customer_no as customer_id,
    agent_no as agent_id,
    unit_code as org_unit_id,
    {{ timestamp_column('made_at', 'made_at', tz='Asia/Shanghai', format='%Y/%m/%d %H:%M:%S') }},
    {{ timestamp_column('due_at', 'due_at', tz='Asia/Shanghai', format='%Y/%m/%d %H:%M:%S') }},
    attempts,
    {{ timestamp_column('done_at', 'done_at', tz='Asia/Shanghai', format='%Y/%m/%d %H:%M:%S') }},
    result,
    {{ boolean_column('control_group', 'is_control') }},
    {{ version_column('updated_at', '%Y/%m/%d %H:%M:%S') }},
    {{ load_facts('commitments') }}
from {{ source('crm', 'commitments') }}
