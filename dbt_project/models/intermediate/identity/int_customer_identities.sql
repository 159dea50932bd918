-- One row per customer of a source: the identifying columns, which stay out of every public mart.
select
    links.customer_key,
    customers.source,
    customers.customer_id,
    customers.customer_name,
    customers.birth_date
from {{ ref('int_customers') }} as customers
inner join {{ ref('int_customer_links') }} as links
    on customers.source = links.source and customers.customer_id = links.customer_id
where customers._status = 'used'
