{{ config(enabled='cdnow' in var('sources')) }}

-- There is no customer file: every purchase names its customer, so each is a version of the same customer.
{% for table in ['purchases', 'sample_purchases'] %}
select
    customer_id,
    case when _problem is null then 'person' end as customer_kind,
    {{ load_facts(table) }}
from {{ source('cdnow', table) }}
{{ 'union all' if not loop.last }}
{% endfor %}
