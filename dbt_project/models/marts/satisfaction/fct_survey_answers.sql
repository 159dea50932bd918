{{ config(materialized='view') }}

with answers as (
    select * from {{ ref('int_answer_scores') }}
),

-- The ticket that a response is about, by its own record or its invitation. A survey names a ticket without saying whose; an id that two help
-- desks have names none.
named as (
    select
        responses.source,
        responses.response_id,
        responses.responded_at,
        coalesce(responses.about_id, invitations.about_id) as ticket_id
    from {{ ref('int_survey_responses') }} as responses
    left join {{ ref('int_survey_invitations') }} as invitations
        on responses.source = invitations.source and responses.invitation_id = invitations.invitation_id and invitations._status = 'used'
    where responses._status = 'used' and coalesce(responses.about_kind, invitations.about_kind) = 'ticket'
),

tickets as (
    select
        source,
        ticket_id,
        ticket_kind,
        is_in_base,
        was_assigned,
        count(*) over (partition by ticket_id) as sources
    from {{ ref('int_ticket_facts') }}
    where ticket_id in (select named.ticket_id from named)
),

subjects as (
    select
        named.source,
        named.response_id,
        named.responded_at,
        tickets.source as ticket_source,
        tickets.ticket_id,
        tickets.ticket_kind,
        tickets.is_in_base and tickets.was_assigned as is_judged
    from named
    inner join tickets on named.ticket_id = tickets.ticket_id and (named.source = tickets.source or tickets.sources = 1)
),

hand_overs as (
    select
        subjects.source,
        subjects.response_id,
        count(*) filter (where not hand_overs.has_note) as without_note,
        count(*) filter (where hand_overs.has_note is null) as note_unknown,
        count(*) filter (where hand_overs.is_shift_change) as at_shift_change,
        count(*) filter (where hand_overs.is_shift_change is null) as roster_unknown
    from subjects
    inner join {{ ref('fct_ticket_hand_overs') }} as hand_overs
        on
            subjects.ticket_source = hand_overs.source
            and subjects.ticket_id = hand_overs.ticket_id
            and subjects.responded_at >= hand_overs.handed_over_at
    where subjects.is_judged
    group by subjects.source, subjects.response_id
)

select
    answers.source,
    answers.response_id,
    answers.question_id,
    responses.survey_id,
    responses.customer_key,
    responses.org_unit_id,
    {{ or_unknown('responses.customer_kind') }} as customer_kind,
    {{ or_unknown('responses.customer_tier') }} as customer_tier,
    {{ or_unknown('responses.survey_kind') }} as survey_kind,
    {{ or_unknown('responses.wave') }} as wave,
    {{ or_unknown('responses.channel') }} as channel,
    {{ or_unknown('responses.touch_point') }} as touch_point,
    {{ or_unknown('responses.product_line') }} as product_line,
    answers.question_role,
    answers.construct,
    answers.item,
    answers.answer_value,
    answers.blank_kind,
    answers.scale_min,
    answers.scale_max,
    answers.score_100,
    responses.base_weight,
    responses.weight,
    answers.is_valid,
    answers.is_csat,
    answers.is_resolved_answer,
    answers.is_said_resolved,
    answers.is_csat_satisfied,
    answers.is_csat_dissatisfied,
    answers.is_ces,
    answers.is_ces_easy,
    answers.is_nps,
    answers.is_promoter,
    answers.is_passive,
    answers.is_detractor,
    answers.is_awareness_answer,
    answers.is_aware,
    answers.is_favourability_answer,
    answers.is_favourable,
    {{ or_unknown('subjects.ticket_kind') }} as ticket_kind,
    case when subjects.is_judged then hand_overs.response_id is not null end as is_after_hand_over,
    case when hand_overs.without_note > 0 then false when hand_overs.note_unknown = 0 then true end as is_hand_over_noted,
    case when hand_overs.at_shift_change > 0 then true when hand_overs.roster_unknown = 0 then false end as is_hand_over_at_shift_change,
    responses.response_id is null as is_orphan_response,
    answers.responded_at,
    coalesce(responses.responded_on, {{ local_day('answers.responded_at', 'null') }}) as responded_on
from answers
left join {{ ref('fct_survey_responses') }} as responses
    on answers.source = responses.source and answers.response_id = responses.response_id
left join subjects on answers.source = subjects.source and answers.response_id = subjects.response_id
left join hand_overs on answers.source = hand_overs.source and answers.response_id = hand_overs.response_id
