{{ config(severity='warn') }}

-- A decision about a customer whom no source has sent has no effect yet: the night goes on, and the warning names him.
with named as (
    select
        o.source,
        o.customer_id
    from {{ ref('identity_overrides') }} as o
    union
    select
        o.other_source as source,
        o.other_customer_id as customer_id
    from {{ ref('identity_overrides') }} as o
)

select
    concat('identity_overrides.csv names ', coalesce(named.source, '?'), ' ', coalesce(named.customer_id, '?'), ', whom no source has sent') as trouble
from named
left join {{ ref('int_customer_links') }} as links on named.source = links.source and named.customer_id = links.customer_id
where links.customer_key is null
