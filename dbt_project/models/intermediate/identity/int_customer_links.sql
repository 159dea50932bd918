{{ config(materialized='view') }}

-- The key is made from the home's secret and the group's earliest-loaded member, so it names nobody and never changes its meaning.
-- The rows are kept by the linking, which touches those that have changed only.
select
    links.source,
    links.customer_id,
    links.customer_key,
    links.own_key,
    links.link_method,
    links.confidence,
    links.evidence,
    links.node as first_seen_rank
from {{ identity_state('links') }} as links
