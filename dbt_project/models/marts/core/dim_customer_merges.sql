-- A key that a customer of a source would have alone, and the older key under which the group goes.
select
    own_key as retired_key,
    customer_key,
    source,
    customer_id
from {{ ref('int_customer_links') }}
where own_key <> customer_key
