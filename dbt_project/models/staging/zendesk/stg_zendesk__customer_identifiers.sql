{{ config(enabled='zendesk' in var('sources')) }}

-- One row per identifier that a user or an organisation carries. Staff numbers identify no customer.
{% set parts = [
    ('users', 'email', 'email', 0), ('users', 'phone', 'phone', 1), ('users', 'external_id', 'member', 2),
    ('organizations', 'external_id', 'member', 3),
] %}
{% for table, column, kind, number in parts %}
select
    id as customer_id,
    '{{ kind }}' as identifier_kind,
    {{ column }} as identifier_value,
    {{ number }} as _sub_record,
    {{ version_column('updated_at') }},
    {{ load_facts(table) }}
from {{ source('zendesk', table) }}
where {{ blank_to_null(column) }} is not null and id not like '7%' and id <> '-1'
{{ 'union all' if not loop.last }}
{% endfor %}
