-- A number for each customer of this build: what is grouped and sorted by the million goes by four bytes instead of thirty-two characters. Another
-- night may give other numbers, so nothing outside the build may keep them.
select
    customers.customer_key,
    cast(row_number() over (order by customers.customer_key) as integer) as customer_number,
    customers.customer_kind,
    customers.org_unit_id
from {{ ref('dim_customers') }} as customers
