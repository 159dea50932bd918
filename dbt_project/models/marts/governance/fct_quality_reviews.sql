with items as (
    select * from {{ ref('int_qa_reviews') }}
    where _status = 'used'
),

bounds as (
    select * from {{ ref('quality_items') }}
),

bound_of_others as (
    select max(weak_below) as weak_below from bounds
    where item = '*'
),

judged as (
    select
        items.source,
        items.review_id,
        items.item,
        items.score,
        items.max_score,
        coalesce(items.score is not null and items.max_score > 0, false) as is_scored,
        coalesce(own.weak_below, bound_of_others.weak_below) as weak_below
    from items
    cross join bound_of_others
    left join bounds as own on items.item = own.item
)

select
    judged.source,
    judged.review_id,
    judged.item,
    sheets.agent_id,
    sheets.reviewer_id,
    sheets.org_unit_id,
    sheets.city_id,
    sheets.province_id,
    sheets.contact_kind,
    sheets.contact_id,
    sheets.channel,
    sheets.topic,
    judged.score,
    judged.max_score,
    case when judged.is_scored then judged.score / judged.max_score end as score_share,
    judged.weak_below,
    case when judged.is_scored then judged.score / judged.max_score < judged.weak_below end as is_weak,
    sheets.is_fatal,
    judged.is_scored,
    judged.is_scored and sheets.is_in_base as is_in_base,
    case
        when sheets.exclusion_kind in ('repeated', 'self_review') then sheets.exclusion_kind
        when not judged.is_scored then 'no_points'
    end as exclusion_kind,
    sheets.is_orphan_agent,
    sheets.is_orphan_contact,
    sheets.reviewed_at,
    sheets.reviewed_on,
    sheets.counted_on,
    sheets.counted_month
from judged
inner join {{ ref('fct_quality_sheets') }} as sheets on judged.source = sheets.source and judged.review_id = sheets.review_id
