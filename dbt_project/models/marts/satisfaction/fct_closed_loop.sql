-- Who called, what came of it and what the customer said next are looked for after the answer only. The second answer must be later than the time
-- for the callback, for those who were called and for those who were not: otherwise the two would be asked at different times.
with windows as (
    select
        to_seconds(cast({{ threshold('loop_contact_window') }} as bigint)) as to_contact,
        to_seconds(cast({{ threshold('loop_ask_window') }} as bigint)) as to_ask
),

callbacks as (
    select
        commitments.source,
        commitments.commitment_id,
        commitments.about_kind,
        commitments.about_id,
        links.customer_key,
        commitments.made_at,
        commitments.done_at,
        commitments.is_control,
        commitments.done_at is not null and coalesce(results.is_contact, true) as is_contact,
        results.is_solved
    from {{ ref('int_commitments') }} as commitments
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(commitments.customer_source, commitments.source) = links.source and commitments.customer_id = links.customer_id
    left join {{ ref('loop_callbacks') }} as purposes on purposes.dimension = 'purpose' and commitments.purpose = purposes.value
    left join {{ ref('loop_callbacks') }} as results on results.dimension = 'result' and commitments.result = results.value
    where commitments._status = 'used' and commitments.commitment_kind = 'callback' and coalesce(purposes.is_contact, true)
),

answered_until as (
    select max(responses.responded_at) as until
    from {{ ref('fct_survey_responses') }} as responses
),

called_until as (
    select max(greatest(callbacks.made_at, coalesce(callbacks.done_at, callbacks.made_at))) as until
    from callbacks
),

-- The last day of the answers; a callback can only be missed as far as the callbacks are delivered, too.
ends as (
    select
        answers.until as asked_until,
        least(answers.until, coalesce(calls.until, answers.until)) as called_until
    from answered_until as answers
    cross join called_until as calls
),

-- Of several unhappy answers the one to the first of these questions, and of those the lowest.
lowest as (
    select
        answers.source,
        answers.response_id,
        min(answers.score_100) filter (where answers.is_csat) as csat,
        min(answers.score_100) filter (where answers.is_nps) as nps,
        min(answers.score_100) filter (where answers.is_ces) as ces,
        bool_or(answers.is_detractor) as is_detractor
    from {{ ref('int_answer_scores') }} as answers
    where
        (answers.is_csat and answers.score_100 <= 100 * {{ threshold('loop_unhappy_csat') }})
        or answers.is_detractor
        or (answers.is_ces and answers.score_100 <= 100 * {{ threshold('loop_high_effort') }})
    group by answers.source, answers.response_id
),

unhappy as (
    select
        lowest.source,
        lowest.response_id,
        case when lowest.csat is not null then 'csat' when lowest.is_detractor then 'nps' else 'ces' end as unhappy_kind,
        case when lowest.csat is not null then lowest.csat when lowest.is_detractor then lowest.nps else lowest.ces end as first_score
    from lowest
),

cases as (
    select
        unhappy.source,
        unhappy.response_id,
        unhappy.unhappy_kind,
        unhappy.first_score,
        responses.survey_id,
        responses.customer_key,
        responses.org_unit_id,
        responses.customer_kind,
        responses.channel,
        responses.product_line,
        coalesce(own.about_kind, invitations.about_kind) as about_kind,
        coalesce(own.about_id, invitations.about_id) as about_id,
        responses.responded_at,
        responses.responded_on,
        responses.responded_at + windows.to_contact as contact_until,
        responses.responded_at + windows.to_ask as ask_until
    from unhappy
    inner join {{ ref('fct_survey_responses') }} as responses on unhappy.source = responses.source and unhappy.response_id = responses.response_id
    inner join {{ ref('int_survey_responses') }} as own
        on unhappy.source = own.source and unhappy.response_id = own.response_id and own._status = 'used'
    left join {{ ref('int_survey_invitations') }} as invitations
        on own.source = invitations.source and own.invitation_id = invitations.invitation_id and invitations._status = 'used'
    cross join windows
),

-- A callback is the answer's when it is about the same contact or of the same customer.
matched as (
    select
        cases.source,
        cases.response_id,
        cases.responded_at,
        cases.contact_until,
        cases.ask_until,
        {{ columns_without('callbacks', ['source', 'about_kind', 'about_id', 'customer_key']) }}
    from cases
    inner join callbacks on cases.about_kind = callbacks.about_kind and cases.about_id = callbacks.about_id
    union
    select
        cases.source,
        cases.response_id,
        cases.responded_at,
        cases.contact_until,
        cases.ask_until,
        {{ columns_without('callbacks', ['source', 'about_kind', 'about_id', 'customer_key']) }}
    from cases
    inner join callbacks on cases.customer_key = callbacks.customer_key
),

called as (
    select
        matched.source,
        matched.response_id,
        min(matched.done_at) as contacted_at,
        arg_min(matched.commitment_id, (matched.done_at, matched.commitment_id)) as callback_id,
        arg_min(matched.is_solved, (matched.done_at, matched.is_solved is null, matched.commitment_id)) as said_solved
    from matched
    where matched.is_contact and matched.done_at > matched.responded_at and matched.done_at <= matched.ask_until
    group by matched.source, matched.response_id
),

drawn as (
    select
        matched.source,
        matched.response_id,
        arg_min(matched.is_control, (matched.made_at, matched.commitment_id)) as is_control
    from matched
    where matched.is_control is not null and matched.made_at between matched.responded_at and matched.contact_until
    group by matched.source, matched.response_id
),

-- Short numbers in the place of long names: there are as many answers again as answers.
customers as materialized (
    select
        responses.customer_key,
        cast(row_number() over () as integer) as customer_no
    from {{ ref('fct_survey_responses') }} as responses
    where responses.customer_key is not null
    group by responses.customer_key
),

surveys as (
    select distinct responses.survey_id
    from {{ ref('fct_survey_responses') }} as responses
),

roles as (
    select unnest(['csat', 'nps', 'ces']) as question_role
    union
    select follow_ups.question_role from {{ ref('loop_follow_ups') }} as follow_ups
),

questions as materialized (
    select
        surveys.survey_id,
        roles.question_role,
        cast(row_number() over () as integer) as question_no
    from surveys
    cross join roles
),

-- The question by which the customer is asked again: that of the seed, or the same one of the same survey.
wanted as (
    select
        cases.source,
        cases.response_id,
        customers.customer_no,
        questions.question_no,
        cases.contact_until,
        cases.ask_until
    from cases
    inner join customers on cases.customer_key = customers.customer_key
    left join {{ ref('loop_follow_ups') }} as follow_ups on cases.survey_id = follow_ups.survey
    inner join questions
        on
            coalesce(follow_ups.follow_up, cases.survey_id) = questions.survey_id
            and coalesce(follow_ups.question_role, cases.unhappy_kind) = questions.question_role
),

answers_again as materialized (
    select
        customers.customer_no,
        questions.question_no,
        responses.responded_at,
        answers.source,
        answers.response_id,
        answers.question_id,
        answers.score_100
    from {{ ref('int_answer_scores') }} as answers
    inner join {{ ref('fct_survey_responses') }} as responses on answers.source = responses.source and answers.response_id = responses.response_id
    inner join customers on responses.customer_key = customers.customer_key
    inner join questions on responses.survey_id = questions.survey_id and answers.question_role = questions.question_role
    where answers.is_valid
),

next_answers as (
    select
        wanted.*,
        answers_again.responded_at
    from wanted
    {{ join_next(
        'answers_again', 'answers_again', ['wanted.customer_no = answers_again.customer_no', 'wanted.question_no = answers_again.question_no'],
        'answers_again.responded_at', 'wanted.contact_until', after=true
    ) }}
),

asked as (
    select
        next_answers.source,
        next_answers.response_id,
        answers_again.source as second_source,
        answers_again.response_id as second_response_id,
        answers_again.score_100 as second_score,
        answers_again.responded_at as second_responded_at
    from next_answers
    inner join answers_again
        on
            next_answers.customer_no = answers_again.customer_no
            and next_answers.question_no = answers_again.question_no
            and next_answers.responded_at = answers_again.responded_at
    where next_answers.responded_at <= next_answers.ask_until
    qualify
        row_number() over (
            partition by next_answers.source, next_answers.response_id
            order by answers_again.responded_at, answers_again.source, answers_again.response_id, answers_again.question_id
        ) = 1
),

-- Whether the next answer itself says so, and whether the ticket was solved after the unhappy answer; an id of two help desks names no ticket.
said as (
    select
        asked.source,
        asked.response_id,
        bool_and(answers.is_said_resolved) as is_solved
    from asked
    inner join {{ ref('int_answer_scores') }} as answers
        on asked.second_source = answers.source and asked.second_response_id = answers.response_id and answers.is_resolved_answer
    group by asked.source, asked.response_id
),

named as (
    select distinct cases.about_id as ticket_id
    from cases
    where cases.about_kind = 'ticket'
),

tickets as (
    select
        named.ticket_id,
        any_value(facts.last_solved_at) as last_solved_at,
        any_value(facts.lifecycle_status) as lifecycle_status
    from named
    inner join {{ ref('int_ticket_facts') }} as facts on named.ticket_id = facts.ticket_id
    group by named.ticket_id
    having count(*) = 1
),

judged as (
    select
        cases.*,
        called.contacted_at,
        called.callback_id,
        case when drawn.is_control then 'held_out' when not drawn.is_control then 'called' else 'none' end as assignment,
        cases.contact_until <= ends.called_until as is_contact_final,
        cases.ask_until <= ends.asked_until as is_ask_final,
        coalesce(called.contacted_at <= cases.contact_until, false) as was_contacted,
        called.said_solved,
        case
            when tickets.last_solved_at > cases.responded_at and tickets.lifecycle_status in ('solved', 'closed') then true
            when tickets.lifecycle_status not in ('solved', 'closed') then false
        end as ticket_solved,
        said.is_solved as next_solved,
        asked.second_response_id,
        asked.second_score,
        asked.second_responded_at
    from cases
    cross join ends
    left join called on cases.source = called.source and cases.response_id = called.response_id
    left join drawn on cases.source = drawn.source and cases.response_id = drawn.response_id
    left join asked on cases.source = asked.source and cases.response_id = asked.response_id
    left join said on cases.source = said.source and cases.response_id = said.response_id
    left join tickets on cases.about_kind = 'ticket' and cases.about_id = tickets.ticket_id
)

select
    judged.source,
    judged.response_id,
    judged.survey_id,
    judged.customer_key,
    judged.org_unit_id,
    judged.customer_kind,
    judged.channel,
    judged.product_line,
    judged.unhappy_kind,
    judged.first_score,
    judged.assignment,
    judged.callback_id,
    case when judged.was_contacted then true when judged.is_contact_final then false end as is_contacted,
    judged.is_contact_final,
    case when judged.was_contacted then coalesce(judged.said_solved, judged.ticket_solved, judged.next_solved) end as is_solved,
    case
        when not judged.was_contacted then null
        when judged.said_solved is not null then 'callback'
        when judged.ticket_solved is not null then 'ticket'
        when judged.next_solved is not null then 'next_answer'
    end as solved_by,
    judged.second_response_id,
    judged.second_score,
    case when judged.second_response_id is not null then true when judged.is_ask_final then false end as is_asked_again,
    judged.is_ask_final,
    judged.second_score - judged.first_score as gain,
    judged.responded_at,
    judged.contacted_at,
    judged.second_responded_at,
    judged.responded_on
from judged
