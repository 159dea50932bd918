{{ config(enabled='retail_bank' in var('sources')) }}

-- The bank writes telephone numbers without the country: they are American.
{% for number, kind, value in [
    (0, 'phone', "'+1 ' || " ~ blank_to_null('phone')), (1, 'email', blank_to_null('email')), (2, 'national_id', blank_to_null('social')),
] %}
select
    client_id as customer_id,
    '{{ kind }}' as identifier_kind,
    {{ value }} as identifier_value,
    {{ number }} as _sub_record,
    {{ load_facts('clients') }}
from {{ source('retail_bank', 'clients') }}
where ({{ value }}) is not null
{{ 'union all' if not loop.last }}
{% endfor %}
