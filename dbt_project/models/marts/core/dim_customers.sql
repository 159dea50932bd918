-- What the earliest-loaded member says counts; later members fill what it leaves open.
with members as (
    select
        links.customer_key,
        links.first_seen_rank,
        customers.*
    from {{ ref('int_customer_links') }} as links
    left join {{ ref('int_customers') }} as customers
        on links.source = customers.source and links.customer_id = customers.customer_id and customers._status = 'used'
)

select
    customer_key,
    {{ or_unknown("arg_min(customer_kind, first_seen_rank) filter (where customer_kind <> 'unknown')") }} as customer_kind,
    arg_min(region, first_seen_rank) filter (where region is not null) as region,
    arg_min(org_unit_id, first_seen_rank) filter (where org_unit_id is not null) as org_unit_id,
    arg_min(industry, first_seen_rank) filter (where industry is not null) as industry,
    arg_min(language, first_seen_rank) filter (where language is not null) as language,
    min(customer_since) as customer_since,
    count(*) as member_count,
    count(distinct source) as source_count,
    count(source) = 0 as is_gone
from members
group by customer_key
