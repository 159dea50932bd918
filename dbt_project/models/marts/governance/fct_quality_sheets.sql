-- A review without a point that counts, one that repeats another and one of the reviewer's own work are kept and left out of the base.
with items as (
    select
        reviews.*,
        coalesce(reviews.score is not null and reviews.max_score > 0, false) as is_scored,
        coalesce(own.is_on_sheet, false) as is_on_sheet
    from {{ ref('int_qa_reviews') }} as reviews
    left join {{ ref('quality_items') }} as own on reviews.item = own.item and own.item <> '*'
    where reviews._status = 'used'
),

sheets as (
    select
        source,
        review_id,
        min(agent_id) as agent_id,
        min(contact_kind) as contact_kind,
        min(contact_id) as contact_id,
        min(reviewer_id) as reviewer_id,
        min(org_unit_id) as org_unit_id,
        bool_or(coalesce(is_fatal, false)) as is_fatal,
        count(*) filter (where is_scored) as items_scored,
        count(*) filter (where is_scored and is_on_sheet) as sheet_items_scored,
        sum(score) filter (where is_scored) as score,
        sum(max_score) filter (where is_scored) as max_score,
        max(reviewed_at) as reviewed_at
    from items
    group by source, review_id
),

sheet_sizes as (
    select count(*) as items_on_sheet from {{ ref('quality_items') }}
    where is_on_sheet and item <> '*'
),

-- A review names a contact without saying whose; an id that two systems have names none.
contacts as (
    select
        contact_kind,
        contact_id,
        min(source) as contact_source,
        min(channel) as channel,
        min(topic) as topic,
        min(handled_on) as handled_on
    from {{ ref('fct_reviewable_contacts') }}
    where contact_id in (select sheets.contact_id from sheets)
    group by contact_kind, contact_id
    having count(distinct source) = 1
),

handled as (
    select
        contact_kind,
        contact_id,
        agent_id,
        source as contact_source,
        ended_at,
        handled_on
    from {{ ref('fct_reviewable_contacts') }}
    where contact_id in (select sheets.contact_id from sheets)
),

joined as (
    select
        sheets.*,
        contacts.contact_source,
        contacts.channel,
        contacts.topic,
        handled.agent_id is not null as is_of_this_agent,
        handled.ended_at as contact_ended_at,
        coalesce(handled.handled_on, contacts.handled_on) as handled_on,
        agents.agent_id is null as is_orphan_agent,
        coalesce(sheets.org_unit_id, agents.org_unit_id) as unit_id,
        row_number() over (
            partition by
                sheets.source,
                sheets.contact_kind,
                sheets.agent_id,
                coalesce(sheets.contact_id, concat('review:', sheets.review_id)),
                coalesce(sheets.reviewer_id, concat('review:', sheets.review_id))
            order by sheets.reviewed_at desc, sheets.review_id desc
        ) as newest
    from sheets
    left join contacts on sheets.contact_kind = contacts.contact_kind and sheets.contact_id = contacts.contact_id
    left join handled
        on
            contacts.contact_source = handled.contact_source
            and sheets.contact_kind = handled.contact_kind
            and sheets.contact_id = handled.contact_id
            and sheets.agent_id = handled.agent_id
    left join {{ ref('dim_agents') }} as agents on sheets.agent_id = agents.agent_id
),

judged as (
    select
        *,
        case
            when newest > 1 then 'repeated'
            when reviewer_id = agent_id then 'self_review'
            when coalesce(max_score, 0) = 0 then 'no_points'
        end as exclusion_kind
    from joined
)

select
    judged.source,
    judged.review_id,
    judged.agent_id,
    judged.reviewer_id,
    judged.unit_id as org_unit_id,
    {{ or_unknown('units.city_id') }} as city_id,
    {{ or_unknown('units.province_id') }} as province_id,
    {{ or_unknown('judged.contact_kind') }} as contact_kind,
    judged.contact_source,
    judged.contact_id,
    {{ or_unknown('judged.channel') }} as channel,
    {{ or_unknown('judged.topic') }} as topic,
    cast(judged.items_scored as integer) as items_scored,
    cast(sheet_sizes.items_on_sheet - judged.sheet_items_scored as integer) as items_missing,
    judged.score,
    judged.max_score,
    judged.score / nullif(judged.max_score, 0) as score_share,
    judged.is_fatal,
    judged.exclusion_kind,
    judged.exclusion_kind is null as is_in_base,
    judged.is_orphan_agent,
    judged.contact_source is null as is_orphan_contact,
    case when judged.contact_source is not null then not judged.is_of_this_agent end as is_of_another_agent,
    coalesce(judged.reviewed_at < judged.contact_ended_at, false) as is_before_contact_end,
    judged.contact_ended_at,
    judged.reviewed_at,
    {{ local_day('judged.reviewed_at', 'units.time_zone') }} as reviewed_on,
    coalesce(judged.handled_on, {{ local_day('judged.reviewed_at', 'units.time_zone') }}) as counted_on,
    cast(date_trunc('month', coalesce(judged.handled_on, {{ local_day('judged.reviewed_at', 'units.time_zone') }})) as date) as counted_month
from judged
cross join sheet_sizes
left join {{ ref('dim_org_units') }} as units on judged.unit_id = units.org_unit_id
