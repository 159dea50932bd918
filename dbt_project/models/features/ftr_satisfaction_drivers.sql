-- What was known of the contact when the customer answered: every fact is cut off at `responded_at`, so that nothing that came after the answer
-- (a reopening, a hand-over, a broken promise, a review) explains it. Null = not known; the drivers model has a rule for it.
with scored as (
    select
        source,
        response_id,
        count(*) filter (where is_csat) as csat_answers,
        count(*) filter (where is_csat_satisfied) as csat_satisfied,
        sum(score_100) filter (where is_csat) as csat_score_sum,
        sum(score_100 * score_100) filter (where is_csat) as csat_score_sum_squares,
        avg(score_100) filter (where is_csat) as csat_score,
        max(concat(question_id, ' ', scale_min, '-', scale_max)) filter (where is_csat) as scale,
        bool_or(is_said_resolved) filter (where is_resolved_answer) as is_said_solved
    from {{ ref('int_answer_scores') }}
    where is_csat or is_resolved_answer
    group by source, response_id
    having count(*) filter (where is_csat) > 0
),

-- The contact that a response is about, by its own record or its invitation.
named as (
    select
        responses.source,
        responses.response_id,
        responses.customer_key,
        responses.org_unit_id,
        responses.customer_kind,
        responses.channel,
        responses.touch_point,
        responses.product_line,
        responses.responded_at,
        responses.responded_on,
        coalesce(nullif(responses.about_kind, 'unknown'), invitations.about_kind) as about_kind,
        coalesce(responses.about_id, invitations.about_id) as about_id
    from {{ ref('fct_survey_responses') }} as responses
    left join {{ ref('int_survey_invitations') }} as invitations
        on responses.source = invitations.source and responses.invitation_id = invitations.invitation_id and invitations._status = 'used'
),

asked as (
    select
        named.*,
        {{ columns_without('scored', ['source', 'response_id']) }}
    from named
    inner join scored on named.source = scored.source and named.response_id = scored.response_id
    where named.about_kind in ('call', 'ticket') and named.about_id is not null
),

by_customer as (
    select
        named.source,
        named.response_id,
        named.customer_key,
        named.responded_at,
        scored.csat_score
    from named
    inner join scored on named.source = scored.source and named.response_id = scored.response_id
    where named.customer_key is not null
),

-- Earlier answers of the same customer; answers of one moment do not know each other.
earlier as (
    select
        source,
        response_id,
        avg(csat_score) over (
            partition by customer_key order by responded_at groups between unbounded preceding and 1 preceding
        ) as earlier_satisfaction
    from by_customer
),

-- A survey names a call or ticket without saying whose; an id that two systems have names none, unless one of them is the survey's own.
calls as (
    select
        calls.*,
        count(*) over (partition by calls.call_id) as systems
    from {{ ref('fct_calls') }} as calls
    where
        calls.call_id in (
            select asked.about_id from asked
            where asked.about_kind = 'call'
        )
),

tickets as (
    select
        tickets.*,
        count(*) over (partition by tickets.ticket_id) as systems
    from {{ ref('int_ticket_facts') }} as tickets
    where
        tickets.ticket_id in (
            select asked.about_id from asked
            where asked.about_kind = 'ticket'
        )
),

call_contacts as (
    select
        asked.source,
        asked.response_id,
        calls.source as contact_source,
        calls.call_id as about_id,
        concat('call:', calls.call_id) as contact_id,
        calls.agent_id,
        calls.org_unit_id as contact_unit_id,
        calls.product_line as contact_product_line,
        calls.started_at as contact_at,
        case when calls.wait_seconds >= 0 then calls.wait_seconds / 60.0 end as queue_wait_minutes,
        calls.transfers > 0 as is_transferred,
        calls.is_marked_solved,
        coalesce(own.ticket_kind = 'complaint', false) as is_complaint
    from asked
    inner join calls on asked.about_kind = 'call' and asked.about_id = calls.call_id and (asked.source = calls.source or calls.systems = 1)
    left join {{ ref('int_ticket_facts') }} as own on calls.source = own.source and calls.ticket_id = own.ticket_id
    where calls.is_in_base
),

ticket_subjects as (
    select
        asked.source,
        asked.response_id,
        asked.responded_at,
        tickets.source as ticket_source,
        tickets.ticket_id,
        tickets.agent_id,
        tickets.org_unit_id,
        tickets.product_line,
        tickets.ticket_kind,
        tickets.created_at
    from asked
    inner join tickets on asked.about_kind = 'ticket' and asked.about_id = tickets.ticket_id and (asked.source = tickets.source or tickets.systems = 1)
    where tickets.is_in_base
),

steps as (
    select
        subjects.source,
        subjects.response_id,
        coalesce(bool_or(steps.is_reopening), false) as is_reopened,
        coalesce(bool_or(steps.is_hand_over), false) as is_handed_over,
        bool_or(steps.assignee is not null) as was_assigned,
        {{ last_value_of('steps.assignee', 'steps.step_number') }} filter (where steps.assignee is not null) as assignee,
        min(steps.happened_at) filter (where steps.speaker = 'agent') as first_reply_at,
        max(steps.happened_at) filter (where steps.is_solution) as solved_at
    from ticket_subjects as subjects
    inner join {{ ref('int_ticket_timeline') }} as steps
        on subjects.ticket_source = steps.source and subjects.ticket_id = steps.ticket_id and subjects.responded_at >= steps.happened_at
    group by subjects.source, subjects.response_id
),

breaches as (
    select
        subjects.source,
        subjects.response_id,
        bool_or(coalesce(slas.breached_at <= subjects.responded_at, false)) as is_sla_breached
    from ticket_subjects as subjects
    inner join {{ ref('fct_ticket_slas') }} as slas on subjects.ticket_source = slas.source and subjects.ticket_id = slas.ticket_id
    where slas.applied_at <= subjects.responded_at
    group by subjects.source, subjects.response_id
),

contacts as (
    select
        source,
        response_id,
        contact_source,
        about_id,
        contact_id,
        agent_id,
        contact_unit_id,
        contact_product_line,
        contact_at,
        queue_wait_minutes,
        cast(null as double) as first_reply_hours,
        cast(null as double) as resolution_days,
        is_transferred,
        coalesce(not is_marked_solved, false) as is_known_unsolved,
        is_complaint,
        cast(null as boolean) as is_sla_breached
    from call_contacts
    union all
    select
        subjects.source,
        subjects.response_id,
        subjects.ticket_source as contact_source,
        subjects.ticket_id as about_id,
        concat('ticket:', subjects.ticket_id) as contact_id,
        coalesce(steps.assignee, subjects.agent_id) as agent_id,
        subjects.org_unit_id as contact_unit_id,
        subjects.product_line as contact_product_line,
        subjects.created_at as contact_at,
        null as queue_wait_minutes,
        case when steps.first_reply_at >= subjects.created_at then {{ seconds_between('subjects.created_at', 'steps.first_reply_at') }} / 3600.0 end as first_reply_hours,
        case when steps.solved_at >= subjects.created_at then {{ seconds_between('subjects.created_at', 'steps.solved_at') }} / 86400.0 end as resolution_days,
        case when steps.is_handed_over then true when steps.was_assigned then false end as is_transferred,
        coalesce(steps.is_reopened, false) as is_known_unsolved,
        coalesce(subjects.ticket_kind = 'complaint', false) as is_complaint,
        breaches.is_sla_breached
    from ticket_subjects as subjects
    left join steps on subjects.source = steps.source and subjects.response_id = steps.response_id
    left join breaches on subjects.source = breaches.source and subjects.response_id = breaches.response_id
),

-- Contacts on the same issue that began before the answer: of a call by its place in the customer's contacts, of a ticket by its id (a ticket that was
-- opened on the telephone is no contact of its own).
issues as (
    select
        calls.source,
        calls.response_id,
        chain.customer_key,
        chain.issue_key,
        chain.started_at
    from call_contacts as calls
    inner join {{ ref('int_contact_chain') }} as chain
        on calls.contact_source = chain.source and calls.contact_id = chain.contact_id and chain.issue_key is not null
),

around as (
    select
        issues.source,
        issues.response_id,
        count(*) filter (where chain.started_at < issues.started_at) as contacts_before,
        count(*) filter (where chain.started_at > issues.started_at) as contacts_after
    from issues
    inner join asked on issues.source = asked.source and issues.response_id = asked.response_id
    inner join {{ ref('int_contact_chain') }} as chain
        on issues.customer_key = chain.customer_key and issues.issue_key = chain.issue_key and asked.responded_at > chain.started_at
    group by issues.source, issues.response_id
    union all
    select
        subjects.source,
        subjects.response_id,
        0 as contacts_before,
        count(*) - 1 as contacts_after
    from ticket_subjects as subjects
    inner join {{ ref('int_contact_chain') }} as chain
        on concat('ticket ', subjects.ticket_id) = chain.issue_key and subjects.responded_at > chain.started_at
    group by subjects.source, subjects.response_id
),

promises as (
    select
        asked.source,
        asked.response_id,
        bool_or(commitments.due_at <= asked.responded_at and (commitments.done_at is null or commitments.done_at > commitments.due_at)) as is_promise_broken
    from asked
    inner join {{ ref('int_commitments') }} as commitments
        on asked.about_kind = commitments.about_kind and asked.about_id = commitments.about_id and asked.responded_at >= commitments.made_at
    where commitments._status = 'used' and commitments.commitment_kind = 'promise' and commitments.due_at is not null
    group by asked.source, asked.response_id
),

-- Trouble at the place (or above it) and of the product, in which the contact began.
troubles as (
    select
        contacts.source,
        contacts.response_id,
        bool_or(events.event_kind in ('outage', 'fault')) as is_in_outage,
        bool_or(events.event_kind = 'bad_period') as is_in_bad_period
    from contacts
    left join {{ ref('dim_org_units') }} as units on contacts.contact_unit_id = units.org_unit_id
    inner join {{ ref('int_operational_events') }} as events
        on
            contacts.contact_at >= events.started_at
            and (events.ended_at is null or contacts.contact_at < events.ended_at)
            and coalesce(events.product_line, contacts.contact_product_line, '') = coalesce(contacts.contact_product_line, '')
            and (events.org_unit_id is null or contacts.contact_unit_id = events.org_unit_id or contains(units.path, concat('/', events.org_unit_id, '/')))
    where events._status = 'used' and events.event_kind in ('outage', 'fault', 'bad_period')
    group by contacts.source, contacts.response_id
),

-- Mean of the agent's reviews up to each of them; a review without fatal errors counts by its points.
reviews as (
    select
        agent_id,
        review_id,
        max(reviewed_at) as reviewed_at,
        100.0 * sum(score) / nullif(sum(max_score), 0) as review_score
    from {{ ref('int_qa_reviews') }}
    where _status = 'used' and score is not null and max_score is not null
    group by agent_id, review_id
),

review_moments as (
    select
        agent_id,
        reviewed_at,
        sum(review_score) as scores,
        count(review_score) as reviews
    from reviews
    where review_score is not null
    group by agent_id, reviewed_at
),

quality as (
    select
        agent_id,
        reviewed_at,
        sum(scores) over so_far as scores,
        sum(reviews) over so_far as reviews
    from review_moments
    window so_far as (partition by agent_id order by reviewed_at rows unbounded preceding)
),

final as (
    select
        asked.*,
        contacts.contact_source,
        contacts.agent_id,
        contacts.contact_id,
        contacts.contact_at,
        contacts.response_id is not null as is_contact_known,
        contacts.queue_wait_minutes,
        contacts.first_reply_hours,
        contacts.resolution_days,
        contacts.is_transferred,
        case
            when contacts.response_id is null then null
            when contacts.is_known_unsolved then false
            when around.contacts_after > 0 then false
            else true
        end as is_solved_at_first_contact,
        case when asked.about_kind = 'call' then around.contacts_before > 0 end as is_repeat_call,
        contacts.is_complaint,
        case when contacts.response_id is not null then coalesce(promises.is_promise_broken, false) end as is_promise_broken,
        contacts.is_sla_breached,
        case when contacts.response_id is not null then coalesce(troubles.is_in_outage, false) end as is_in_outage,
        case when contacts.response_id is not null then coalesce(troubles.is_in_bad_period, false) end as is_in_bad_period,
        earlier.earlier_satisfaction,
        asked.about_kind = 'ticket' as is_after_ticket
    from asked
    left join contacts on asked.source = contacts.source and asked.response_id = contacts.response_id
    left join around on asked.source = around.source and asked.response_id = around.response_id
    left join promises on asked.source = promises.source and asked.response_id = promises.response_id
    left join troubles on asked.source = troubles.source and asked.response_id = troubles.response_id
    left join earlier on asked.source = earlier.source and asked.response_id = earlier.response_id
)

select
    final.source,
    final.response_id,
    final.customer_key,
    coalesce(final.customer_key, concat(final.source, ':', final.response_id)) as cluster,
    final.org_unit_id,
    final.agent_id,
    final.contact_id,
    final.about_kind,
    final.customer_kind,
    final.channel,
    final.touch_point,
    final.product_line,
    final.scale,
    final.csat_answers,
    final.csat_satisfied,
    final.csat_score_sum,
    final.csat_score_sum_squares,
    final.csat_score,
    final.is_contact_known,
    final.queue_wait_minutes,
    final.first_reply_hours,
    final.resolution_days,
    final.is_solved_at_first_contact,
    final.is_repeat_call,
    final.is_transferred,
    final.is_complaint,
    final.is_promise_broken,
    final.is_sla_breached,
    case when quality.reviews >= {{ threshold('agent_quality_reviews') }} then quality.scores / quality.reviews end as agent_quality,
    final.is_in_outage,
    final.is_in_bad_period,
    final.earlier_satisfaction,
    final.is_after_ticket,
    final.is_said_solved,
    final.contact_at,
    final.responded_at,
    final.responded_on
from final
{{ join_latest('quality', 'quality', ['final.agent_id = quality.agent_id'], 'quality.reviewed_at', 'final.responded_at') }}
