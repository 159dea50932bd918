{{ config(enabled='retail_bank' in var('sources'), meta={'lookups': ['retail_bank.accounts']}) }}

-- An account has one owner and may have a user beside. The unit is the one that keeps the account, not the one where the client lives.
with accounts as (
    {{ newest_rows(source('retail_bank', 'accounts'), ['account_id']) }}
)

select
    dispositions.account_id,
    dispositions.client_id as customer_id,
    lower(dispositions.type) as party_role,
    'district-' || {{ blank_to_null('accounts.district_id') }} as org_unit_id,
    {{ load_facts('dispositions', 'dispositions') }}
from {{ source('retail_bank', 'dispositions') }} as dispositions
left join accounts on dispositions.account_id = accounts.account_id
