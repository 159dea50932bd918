{{ config(enabled='crm' in var('sources')) }}

select
    customer_no as customer_id,
    {{ map_values('id_type', 'identifier_kind', {
        'mobile': 'phone', 'landline': 'phone', 'email': 'email', 'contract': 'contract', 'member': 'member', 'wechat': 'social', 'custno': 'member',
    }) }},
    id_value as identifier_value,
    valid_from,
    valid_to,
    {{ version_column('updated_at', '%Y/%m/%d %H:%M:%S') }},
    {{ load_facts('customer_identifiers') }}
from {{ source('crm', 'customer_identifiers') }}
