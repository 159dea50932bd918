-- Deliveries that say the same as the one before make no new version.
with versions as (
    select
        customers.source,
        customers.customer_id,
        customers.customer_kind,
        customers.region,
        customers.org_unit_id,
        customers.industry,
        customers.parent_customer_id,
        customers.language,
        customers.customer_since,
        customers._delivery as delivery,
        customers._loaded_at as loaded_at,
        customers._version as version_order,
        customers._file_id as file_order,
        customers._record_number as record_order,
        {{ quick_hash(["coalesce(customers.customer_kind, '')", "coalesce(customers.region, '')", "coalesce(customers.org_unit_id, '')",
            "coalesce(customers.industry, '')", "coalesce(customers.parent_customer_id, '')", "coalesce(customers.language, '')",
            "coalesce(cast(customers.customer_since as varchar), '')"]) }} as content_hash
    from {{ ref('int_customers') }} as customers
    where customers._status in ('used', 'superseded') and {{ list_is_empty('customers._reasons') }} and customers.customer_id is not null
),

changes as (
    select
        *,
        lag(content_hash) over (
            partition by source, customer_id order by version_order nulls first, delivery, file_order, record_order
        ) as previous_hash
    from versions
),

numbered as (
    select
        *,
        row_number() over (
            partition by source, customer_id order by version_order nulls first, delivery, file_order, record_order
        ) as version_number,
        lead(delivery) over (
            partition by source, customer_id order by version_order nulls first, delivery, file_order, record_order
        ) as next_delivery
    from changes
    where previous_hash is distinct from content_hash
)

select
    numbered.source,
    numbered.customer_id,
    numbered.version_number,
    links.customer_key,
    numbered.customer_kind,
    numbered.region,
    numbered.org_unit_id,
    numbered.industry,
    numbered.parent_customer_id,
    numbered.language,
    numbered.customer_since,
    numbered.delivery as valid_from_delivery,
    numbered.next_delivery as valid_to_delivery,
    numbered.next_delivery is null as is_newest
from numbered
inner join {{ ref('int_customer_links') }} as links
    on numbered.source = links.source and numbered.customer_id = links.customer_id
