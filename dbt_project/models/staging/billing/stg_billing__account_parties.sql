{{ config(enabled='billing' in var('sources')) }}

select
    account_no as account_id,
    party_no as customer_id,
    {{ map_values('role', 'party_role', {'h': 'owner', 'u': 'user', 'p': 'payer', 'c': 'contact'}) }},
    unit_code as org_unit_id,
    {{ date_column('valid_from', 'valid_from', '%d.%m.%Y') }},
    {{ date_column('valid_to', 'valid_to', '%d.%m.%Y') }},
    {{ version_column('updated_at') }},
    {{ load_facts('account_parties') }}
from {{ source('billing', 'account_parties') }}
