{{ config(enabled='billing' in var('sources')) }}

select
    party_no as customer_id,
    {{ map_values('party_type', 'customer_kind', {'p': 'person', 'h': 'household', 'e': 'enterprise'}) }},
    name as customer_name,
    unit_code as org_unit_id,
    {{ date_column('since', 'customer_since', '%d.%m.%Y') }},
    {{ version_column('updated_at') }},
    {{ load_facts('parties') }}
from {{ source('billing', 'parties') }}
