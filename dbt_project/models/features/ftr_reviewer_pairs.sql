-- Reviews that do not count (repeated, of one's own work, without points) are no judgement of a second person.
with sheets as (
    select
        source,
        review_id,
        concat(contact_kind, ':', contact_id, ':', agent_id) as contact_key,
        reviewer_id,
        is_fatal,
        score_share,
        reviewed_at,
        reviewed_on,
        row_number() over (partition by contact_kind, contact_id, agent_id order by reviewed_at, source, review_id) as review_order
    from {{ ref('fct_quality_sheets') }}
    where is_in_base and contact_id is not null and reviewer_id is not null
    qualify count(*) over (partition by contact_kind, contact_id, agent_id) > 1
),

bound_of_sheets as (
    select max(weak_below) as weak_below from {{ ref('quality_items') }}
    where item = '*'
),

said as (
    select
        sheets.*,
        reviews.item,
        reviews.score_share as share,
        reviews.is_weak as verdict
    from sheets
    inner join {{ ref('fct_quality_reviews') }} as reviews on sheets.source = reviews.source and sheets.review_id = reviews.review_id
    where reviews.is_in_base
    union all
    select
        sheets.*,
        'all' as item,
        sheets.score_share as share,
        sheets.score_share < bound_of_sheets.weak_below as verdict
    from sheets
    cross join bound_of_sheets
    union all
    select
        sheets.*,
        'fatal' as item,
        cast(null as double) as share,
        is_fatal as verdict
    from sheets
)

select
    one.contact_key,
    one.item,
    one.reviewer_id as reviewer_1,
    other.reviewer_id as reviewer_2,
    one.review_order as order_1,
    other.review_order as order_2,
    one.share as share_1,
    other.share as share_2,
    one.verdict as verdict_1,
    other.verdict as verdict_2,
    greatest(one.reviewed_on, other.reviewed_on) as reviewed_on
from said as one
inner join said as other on one.contact_key = other.contact_key and one.item = other.item and one.reviewer_id < other.reviewer_id
