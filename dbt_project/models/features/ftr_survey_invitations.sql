-- What happened is looked at as it was when the invitation went out: a ticket that was reopened, handed over or taken up again after
-- that still counts as it stood. An id that two sources have names no ticket and no call.
with invitations as (
    select
        *,
        {{ survey_period('wave', 'sent_on') }} as period
    from {{ ref('fct_survey_invitations') }}
),

answered as (
    select
        source,
        invitation_id,
        responded_at
    from {{ ref('int_survey_answering') }}
    where response_state = 'counts'
),

called_about as (
    select distinct about_id
    from invitations
    where about_kind = 'call'
),

ticketed_about as (
    select distinct about_id
    from invitations
    where about_kind = 'ticket'
),

call_subjects as (
    select
        'call' as about_kind,
        call_id,
        any_value(is_marked_solved) as is_marked_solved,
        any_value(transfers) as transfers,
        any_value(wait_seconds) as wait_seconds
    from {{ ref('int_call_facts') }}
    where call_id in (select called_about.about_id from called_about)
    group by call_id
    having count(*) = 1
),

ticket_subjects as (
    select
        'ticket' as about_kind,
        ticket_id,
        any_value(source) as ticket_source,
        any_value(ticket_kind) as ticket_kind,
        any_value(created_at) as created_at,
        any_value(first_public_reply_at) as first_public_reply_at,
        any_value(first_solved_at) as first_solved_at,
        any_value(first_handed_over_at) as first_handed_over_at
    from {{ ref('int_ticket_facts') }}
    where ticket_id in (select ticketed_about.about_id from ticketed_about)
    group by ticket_id
    having count(*) = 1
),

-- Until the invitation.
reopenings as (
    select
        timeline.source,
        timeline.ticket_id,
        min(timeline.occurred_at) as first_reopened_at
    from {{ ref('int_ticket_timeline') }} as timeline
    inner join ticket_subjects on timeline.source = ticket_subjects.ticket_source and timeline.ticket_id = ticket_subjects.ticket_id
    where timeline.is_reopening
    group by timeline.source, timeline.ticket_id
),

subjects as (
    select
        invitations.source,
        invitations.invitation_id,
        case
            when calls.call_id is not null then concat('call:', calls.call_id)
            when tickets.ticket_id is not null then concat('ticket:', tickets.ticket_id)
        end as subject,
        case
            when calls.is_marked_solved then 'solved'
            when not calls.is_marked_solved then 'not_solved'
            when reopenings.first_reopened_at <= invitations.sent_at then 'reopened'
            when tickets.first_solved_at <= invitations.sent_at then 'solved'
            when tickets.ticket_id is not null then 'not_solved'
        end as outcome,
        tickets.ticket_kind = 'complaint' as is_complaint,
        case
            when calls.call_id is not null then calls.transfers > 0
            when tickets.ticket_id is not null then coalesce(tickets.first_handed_over_at <= invitations.sent_at, false)
        end as is_transferred,
        case
            when calls.call_id is not null then calls.wait_seconds
            when tickets.first_public_reply_at <= invitations.sent_at
                then {{ seconds_between('tickets.created_at', 'tickets.first_public_reply_at') }}
        end as wait_seconds,
        case
            when tickets.first_solved_at <= invitations.sent_at then {{ seconds_between('tickets.created_at', 'tickets.first_solved_at') }}
        end as solving_seconds
    from invitations
    left join call_subjects as calls on invitations.about_kind = calls.about_kind and invitations.about_id = calls.call_id
    left join ticket_subjects as tickets on invitations.about_kind = tickets.about_kind and invitations.about_id = tickets.ticket_id
    left join reopenings on tickets.ticket_source = reopenings.source and tickets.ticket_id = reopenings.ticket_id
),

-- Contacts on the issue, of the call's customer or of whoever wrote about the ticket, until the invitation.
named as (
    select distinct subject from subjects
),

issues_of_calls as (
    select
        chain.contact_id,
        chain.customer_key,
        chain.issue_key
    from {{ ref('int_contact_chain') }} as chain
    inner join named on chain.contact_id = named.subject
    where chain.contact_kind = 'call' and chain.issue_key is not null
),

issue_contacts as (
    select
        subjects.source,
        subjects.invitation_id,
        count(*) as contacts
    from subjects
    inner join invitations on subjects.source = invitations.source and subjects.invitation_id = invitations.invitation_id
    inner join issues_of_calls as issues on subjects.subject = issues.contact_id
    inner join {{ ref('int_contact_chain') }} as chain
        on
            issues.customer_key = chain.customer_key
            and issues.issue_key = chain.issue_key
            and invitations.sent_at >= chain.started_at
    group by subjects.source, subjects.invitation_id
    union all
    select
        invitations.source,
        invitations.invitation_id,
        count(*) as contacts
    from invitations
    inner join {{ ref('int_contact_chain') }} as chain
        on concat('ticket ', invitations.about_id) = chain.issue_key and invitations.sent_at >= chain.started_at
    where invitations.about_kind = 'ticket'
    group by invitations.source, invitations.invitation_id
),

together as (
    select
        invitations.source,
        invitations.invitation_id,
        invitations.survey_id,
        invitations.survey_kind,
        invitations.period,
        invitations.wave,
        invitations.channel,
        invitations.about_kind,
        invitations.customer_kind,
        invitations.product_line,
        coalesce(units.province_id, 'unknown') as province,
        coalesce(subjects.outcome, 'unknown') as outcome,
        case when subjects.is_complaint then 'yes' when not subjects.is_complaint then 'no' else 'unknown' end as complaint,
        case when subjects.is_transferred then 'yes' when not subjects.is_transferred then 'no' else 'unknown' end as transferred,
        {{ seconds_between('customers.customer_since', 'invitations.sent_on') }} / 86400.0 as tenure_days,
        issue_contacts.contacts,
        subjects.wait_seconds,
        subjects.solving_seconds,
        invitations.is_delivered or answered.invitation_id is not null as is_delivered,
        answered.invitation_id is not null as is_answered,
        invitations.sent_at,
        invitations.sent_on,
        answered.responded_at
    from invitations
    inner join subjects on invitations.source = subjects.source and invitations.invitation_id = subjects.invitation_id
    left join issue_contacts on invitations.source = issue_contacts.source and invitations.invitation_id = issue_contacts.invitation_id
    left join answered on invitations.source = answered.source and invitations.invitation_id = answered.invitation_id
    left join {{ ref('dim_org_units') }} as units on invitations.org_unit_id = units.org_unit_id
    left join {{ ref('dim_customers') }} as customers on invitations.customer_key = customers.customer_key
),

final as (
    select
        *,
        {{ survey_band('tenure_band', 'tenure_days') }} as tenure_band,
        {{ survey_band('contacts_band', 'contacts') }} as contacts_band,
        {{ survey_band('wait_band', 'wait_seconds') }} as wait_band,
        {{ survey_band('solving_band', 'solving_seconds') }} as solving_band
    from together
)

select
    source,
    invitation_id,
    survey_id,
    survey_kind,
    period,
    wave,
    {{ survey_facts() | join(',\n    ') }},
    concat_ws('|', {{ survey_facts() | join(', ') }}) as invitation_class,
    is_delivered,
    is_answered,
    sent_at,
    sent_on,
    responded_at
from final
