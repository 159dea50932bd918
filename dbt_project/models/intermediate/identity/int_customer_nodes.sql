-- One row per customer of a source, numbered by when it was first loaded: the smallest number of a group gives it its key,
-- so a later load never changes the meaning of a key.
with seen as (
    -- A row that its source never sent as a customer (the help desk's staff) makes no customer; one deleted later stays one.
    select source, customer_id, _file_id, _record_number
    from {{ ref('int_customers__received') }}
    where customer_id is not null and not _is_deleted
    union all
    select
        source,
        customer_id,
        _file_id,
        _record_number
    from {{ ref('int_customer_identifiers__received') }}
    where customer_id is not null
),

first_seen as (
    select
        source,
        customer_id,
        min(_file_id * 10000000000 + _record_number) as first_seen_order
    from seen
    group by source, customer_id
)

select
    row_number() over (order by first_seen_order, source, customer_id) as node,
    source,
    customer_id
from first_seen
