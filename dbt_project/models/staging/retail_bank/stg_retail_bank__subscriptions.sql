{{ config(enabled='retail_bank' in var('sources'), meta={'lookups': ['retail_bank.dispositions', 'retail_bank.accounts']}) }}

-- Accounts and cards are contracts that run; the files know no end of either, and no fee. A card hangs on a disposition (who holds which account).
with accounts as (
    {{ newest_rows(source('retail_bank', 'accounts'), ['account_id']) }}
),

dispositions as (
    {{ newest_rows(source('retail_bank', 'dispositions'), ['disp_id']) }}
),

owners as (
    {{ newest_rows(source('retail_bank', 'dispositions'), ['account_id', 'type']) }}
),

final as (
    select
        accounts.account_id as subscription_id,
        accounts.account_id,
        owners.client_id as customer_id,
        'district-' || {{ blank_to_null('accounts.district_id') }} as org_unit_id,
        'account' as product_line,
        accounts.frequency as product_name,
        accounts.parseddate as started_on,
        {{ load_facts('accounts', 'accounts') }}
    from {{ source('retail_bank', 'accounts') }} as accounts
    left join owners on accounts.account_id = owners.account_id and owners.type = 'Owner'
    union all
    select
        cards.card_id as subscription_id,
        dispositions.account_id,
        dispositions.client_id as customer_id,
        'district-' || {{ blank_to_null('accounts.district_id') }} as org_unit_id,
        'card' as product_line,
        cards.type as product_name,
        cards.fulldate as started_on,
        {{ load_facts('cards', 'cards') }}
    from {{ source('retail_bank', 'cards') }} as cards
    left join dispositions on cards.disp_id = dispositions.disp_id
    left join accounts on dispositions.account_id = accounts.account_id
)

select * from final
