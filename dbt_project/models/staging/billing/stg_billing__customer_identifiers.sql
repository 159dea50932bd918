{{ config(enabled='billing' in var('sources')) }}

-- Identifiers that a party carries itself, the contracts it owns and the numbers it is served under.
{% for column, kind in [('phone', 'phone'), ('email', 'email'), ('member_no', 'member')] %}
select
    party_no as customer_id,
    '{{ kind }}' as identifier_kind,
    {{ column }} as identifier_value,
    {{ loop.index0 }} as _sub_record,
    {{ epoch_micros("try_cast(updated_at as timestamp)") }} as _version,
    {{ load_facts('parties') }}
from {{ source('billing', 'parties') }}
where {{ blank_to_null(column) }} is not null
union all
{% endfor %}
select
    party_no as customer_id,
    'contract' as identifier_kind,
    account_no as identifier_value,
    3 as _sub_record,
    {{ epoch_micros("try_cast(updated_at as timestamp)") }} as _version,
    {{ load_facts('account_parties') }}
from {{ source('billing', 'account_parties') }}
where role = 'H'
union all
select
    party_no as customer_id,
    case when product in ('FIX', 'MOB') then 'phone' else 'account' end as identifier_kind,
    service_number as identifier_value,
    4 as _sub_record,
    null as _version,
    {{ load_facts('subscriptions') }}
from {{ source('billing', 'subscriptions') }}
where {{ blank_to_null('service_number') }} is not null and {{ blank_to_null('party_no') }} is not null
