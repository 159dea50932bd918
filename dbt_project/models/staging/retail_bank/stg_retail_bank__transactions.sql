{{ config(enabled='retail_bank' in var('sources'), meta={'lookups': ['retail_bank.dispositions', 'retail_bank.accounts']}) }}

-- A loan is money lent on a day. A standing order is what the client wants paid again and again: the file gives no day, so it has none here,
-- and no number of turnover reads it.
with accounts as (
    {{ newest_rows(source('retail_bank', 'accounts'), ['account_id']) }}
),

owners as (
    {{ newest_rows(source('retail_bank', 'dispositions'), ['account_id', 'type']) }}
),

movements as (
    select
        loan_id as transaction_id,
        account_id,
        'loan' as product_line,
        'loan' as transaction_kind,
        {{ timestamp_column('fulldate', 'occurred_at', tz='America/New_York') }},
        amount,
        {{ load_facts('loans') }}
    from {{ source('retail_bank', 'loans') }}
    union all
    select
        'order-' || {{ blank_to_null('order_id') }} as transaction_id,
        account_id,
        'account' as product_line,
        'standing_order' as transaction_kind,
        cast(null as timestamp) as occurred_at,
        null as occurred_at__problem,
        null as occurred_at__raw,
        amount,
        {{ load_facts('standing_orders') }}
    from {{ source('retail_bank', 'standing_orders') }}
)

select
    movements.*,
    owners.client_id as customer_id,
    'district-' || {{ blank_to_null('accounts.district_id') }} as org_unit_id
from movements
left join accounts on movements.account_id = accounts.account_id
left join owners on movements.account_id = owners.account_id and owners.type = 'Owner'
