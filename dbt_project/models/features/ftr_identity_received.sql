{{ config(materialized='view') }}

-- A row that its source never sent as a customer (the help desk's staff) makes no customer; one deleted later stays one.
select
    customers.source,
    customers.customer_id,
    customers._file_id,
    customers._record_number
from {{ ref('int_customers__received') }} as customers
where not customers._is_deleted
union all
select
    identifiers.source,
    identifiers.customer_id,
    identifiers._file_id,
    identifiers._record_number
from {{ ref('int_customer_identifiers__received') }} as identifiers
