{{ config(enabled='billing' in var('sources')) }}

select
    subscription_no as subscription_id,
    account_no as account_id,
    party_no as customer_id,
    unit_code as org_unit_id,
    {{ map_values('product', 'product_line', {'fix': 'fixed', 'mob': 'mobile', 'bb': 'broadband'}) }},
    tariff as product_name,
    {{ date_column('start_date', 'started_on', '%d.%m.%Y') }},
    {{ date_column('end_date', 'ended_on', '%d.%m.%Y') }},
    end_reason,
    contract_months,
    {{ number_column('monthly_fee', 'monthly_fee', decimal=',') }},
    currency,
    {{ load_facts('subscriptions') }}
from {{ source('billing', 'subscriptions') }}
