-- One row per customer of a source with the key of the real customer behind it. The key is made from the home's secret and
-- the group's earliest-loaded member, so it names nobody and never changes its meaning.
with components as (
    select
        nodes.source,
        nodes.customer_id,
        nodes.node,
        components.component,
        root.source as root_source,
        root.customer_id as root_customer_id
    from {{ ref('int_customer_nodes') }} as nodes
    inner join {{ ref('int_customer_components') }} as components on nodes.node = components.node
    inner join {{ ref('int_customer_nodes') }} as root on components.component = root.node
),

evidence as (
    select
        node,
        string_agg(distinct evidence, ', ' order by evidence) as evidence
    from {{ ref('int_customer_edges') }}
    group by node
)

select
    components.source,
    components.customer_id,
    md5(concat(home.salt, '|', components.root_source, '|', components.root_customer_id)) as customer_key,
    md5(concat(home.salt, '|', components.source, '|', components.customer_id)) as own_key,
    case
        when evidence.evidence is null then 'alone'
        when evidence.evidence like '%confirmed%' then 'confirmed'
        else 'identifier'
    end as link_method,
    case when evidence.evidence is null or evidence.evidence like '%confirmed%' then 1.0 else 0.95 end as confidence,
    evidence.evidence,
    components.node as first_seen_rank
from components
left join evidence on components.node = evidence.node
cross join {{ source('raw_meta', 'home') }} as home
