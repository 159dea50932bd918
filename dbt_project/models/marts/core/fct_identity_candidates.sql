-- What a line of identity_overrides.csv has decided needs nobody's eye any more.
with decided as (
    select
        overrides.source,
        overrides.customer_id,
        overrides.other_source,
        overrides.other_customer_id
    from {{ ref('identity_overrides') }} as overrides
    union
    select
        overrides.other_source as source,
        overrides.other_customer_id as customer_id,
        overrides.source as other_source,
        overrides.customer_id as other_customer_id
    from {{ ref('identity_overrides') }} as overrides
)

select
    scores.source,
    scores.customer_id,
    scores.other_source,
    scores.other_customer_id,
    links.customer_key,
    others.customer_key as other_customer_key,
    case when scores.is_ambiguous then 'ambiguous' else 'not_sure' end as why,
    scores.evidence,
    scores.model_version,
    scores.probability as link_probability
from {{ ref('score_identity_links') }} as scores
inner join {{ ref('int_customer_links') }} as links on scores.source = links.source and scores.customer_id = links.customer_id
inner join {{ ref('int_customer_links') }} as others
    on scores.other_source = others.source and scores.other_customer_id = others.customer_id
left join decided
    on
        scores.source = decided.source
        and scores.customer_id = decided.customer_id
        and scores.other_source = decided.other_source
        and scores.other_customer_id = decided.other_customer_id
where links.customer_key <> others.customer_key and decided.source is null
