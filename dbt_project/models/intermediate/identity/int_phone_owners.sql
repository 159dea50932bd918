-- One row per telephone number that belongs to exactly one customer: who called.
select
    keys.identifier_key as phone,
    min(links.customer_key) as customer_key
from {{ ref('int_customer_identifier_keys') }} as keys
inner join {{ ref('int_customer_links') }} as links
    on keys.source = links.source and keys.customer_id = links.customer_id
where keys.identifier_kind = 'phone'
group by keys.identifier_key
having count(distinct links.customer_key) = 1
