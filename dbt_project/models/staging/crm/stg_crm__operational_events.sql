{{ config(enabled='crm' in var('sources')) }}

select
    event_no as operational_event_id,
    lower(kind) as event_kind,
    object_id,
    unit_code as org_unit_id,
    product as product_line,
    {{ timestamp_column('start_time', 'started_at', tz='Asia/Shanghai', format='%Y/%m/%d %H:%M:%S') }},
    {{ timestamp_column('end_time', 'ended_at', tz='Asia/Shanghai', format='%Y/%m/%d %H:%M:%S') }},
    description,
    {{ version_column('updated_at', '%Y/%m/%d %H:%M:%S') }},
    {{ load_facts('operational_events') }}
from {{ source('crm', 'operational_events') }}
