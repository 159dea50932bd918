{{ config(enabled='billing' in var('sources')) }}

-- Charges (with refunds and devices) and payments; ids of the two tables do not overlap.
with charges as (
    select
        charge_no as transaction_id,
        account_no as account_id,
        party_no as customer_id,
        subscription_no as subscription_id,
        unit_code as org_unit_id,
        {{ map_values('product', 'product_line', {'fix': 'fixed', 'mob': 'mobile', 'bb': 'broadband'}) }},
        {{ map_values('charge_type', 'transaction_kind', {
            'monthly': 'charge', 'usage': 'charge', 'install': 'charge', 'penalty': 'charge', 'refund': 'return', 'device': 'order',
        }) }},
        {{ timestamp_column('charged_at', 'occurred_at') }},
        {{ number_column('amount', 'amount') }},
        {{ number_column('cost', 'cost_amount') }},
        currency,
        {{ date_column('due_date', 'due_on') }},
        {{ date_column('paid_date', 'paid_on') }},
        {{ version_column('updated_at') }},
        {{ load_facts('charges') }}
    from {{ source('billing', 'charges') }}
),

payments as (
    select
        payment_no as transaction_id,
        account_no as account_id,
        party_no as customer_id,
        charge_no as settles_id,
        'payment' as transaction_kind,
        {{ timestamp_column('paid_at', 'occurred_at', tz='Asia/Shanghai', format='%d.%m.%Y %H:%M:%S') }},
        {{ number_column('amount', 'amount', decimal=',') }},
        currency,
        {{ load_facts('payments') }}
    from {{ source('billing', 'payments') }}
)

select * from charges
union all by name
select * from payments
