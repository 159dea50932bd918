-- One row per direction of a link between two customer nodes. A chain through the first holder of an identifier is enough
-- to connect all of its holders, so edges grow with the identifiers, not with their square.
with nodes as (select * from {{ ref('int_customer_nodes') }}),

overrides as (
    select
        o.decision,
        a.node,
        b.node as other
    from {{ ref('identity_overrides') }} as o
    inner join nodes as a on o.source = a.source and o.customer_id = a.customer_id
    inner join nodes as b on o.other_source = b.source and o.other_customer_id = b.customer_id
),

holders as (
    select
        k.identifier_kind,
        k.identifier_key,
        n.node
    from {{ ref('int_customer_identifier_keys') }} as k
    inner join nodes as n on k.source = n.source and k.customer_id = n.customer_id
    where k.is_linking and not k.is_shared
),

broken_holders as (
    select distinct
        h.identifier_kind,
        h.identifier_key,
        h.node
    from holders as h
    inner join overrides as o on h.node = o.other and o.decision = 'break'
    inner join holders as first_holder
        on
            o.node = first_holder.node
            and h.identifier_kind = first_holder.identifier_kind
            and h.identifier_key = first_holder.identifier_key
),

kept_holders as (
    select h.*
    from holders as h
    anti join broken_holders as b
        on h.identifier_kind = b.identifier_kind and h.identifier_key = b.identifier_key and h.node = b.node
),

hubs as (
    select identifier_kind, identifier_key, min(node) as hub
    from kept_holders
    group by identifier_kind, identifier_key
    having count(*) > 1
),

spokes as (
    select hubs.hub as node, kept_holders.node as other, hubs.identifier_kind as evidence
    from hubs
    inner join kept_holders
        on hubs.identifier_kind = kept_holders.identifier_kind and hubs.identifier_key = kept_holders.identifier_key
    where hubs.hub <> kept_holders.node
    union all
    select
        node,
        other,
        'confirmed' as evidence
    from overrides
    where decision = 'confirm'
)

select node, other, evidence from spokes
union all
select other as node, node as other, evidence from spokes
