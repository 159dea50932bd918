{{ config(enabled='billing' in var('sources')) }}

-- Identifiers that a party carries itself, the contracts it owns and the numbers it is served under. The contract file comes
-- whole every day: of each number only the newest delivery that has it gives a row (all rows of the file are in the feed subscriptions).
with served_numbers as (
    select
        party_no,
        service_number,
        max(_delivery) as newest_delivery
    from {{ source('billing', 'subscriptions') }}
    where {{ blank_to_null('service_number') }} is not null and {{ blank_to_null('party_no') }} is not null
    group by party_no, service_number
),

{% for column, kind in [('phone', 'phone'), ('email', 'email'), ('member_no', 'member')] %}
{{ column }}s as (
    select
        party_no as customer_id,
        '{{ kind }}' as identifier_kind,
        {{ column }} as identifier_value,
        {{ loop.index0 }} as _sub_record,
        {{ version_column('updated_at') }},
        {{ load_facts('parties') }}
    from {{ source('billing', 'parties') }}
    where {{ blank_to_null(column) }} is not null
),

{% endfor %}
contracts as (
    select
        party_no as customer_id,
        'contract' as identifier_kind,
        account_no as identifier_value,
        3 as _sub_record,
        {{ version_column('updated_at') }},
        {{ load_facts('account_parties') }}
    from {{ source('billing', 'account_parties') }}
    where role = 'H'
),

numbers as (
    select
        subscriptions.party_no as customer_id,
        case when subscriptions.product in ('FIX', 'MOB') then 'phone' else 'account' end as identifier_kind,
        subscriptions.service_number as identifier_value,
        4 as _sub_record,
        null as _version,
        null as _version__raw,
        {{ load_facts('subscriptions', 'subscriptions') }}
    from {{ source('billing', 'subscriptions') }} as subscriptions
    inner join served_numbers
        on
            subscriptions.party_no = served_numbers.party_no
            and subscriptions.service_number = served_numbers.service_number
            and subscriptions._delivery = served_numbers.newest_delivery
),

final as (
    select * from phones
    union all
    select * from emails
    union all
    select * from member_nos
    union all
    select * from contracts
    union all
    select * from numbers
)

select * from final
