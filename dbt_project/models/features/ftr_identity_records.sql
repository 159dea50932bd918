{{ config(materialized='view') }}

-- What a source says of a customer and that may show who it is.
select
    customers.source,
    customers.customer_id,
    customers.customer_kind,
    customers.customer_name,
    customers.birth_date,
    customers.region,
    customers.org_unit_id,
    {{ folded_address('customers.address') }} as address
from {{ ref('int_customers') }} as customers
where customers._status = 'used'
