-- Satisfaction is that of the answers about the agent's own calls and tickets, by the month of the answer.
with handlers as (
    select
        'call' as about_kind,
        call_id as about_id,
        min(agent_id) as agent_id
    from {{ ref('int_call_facts') }}
    where agent_id is not null
    group by call_id
    having count(*) = 1
    union all
    select
        'ticket' as about_kind,
        ticket_id as about_id,
        min(agent_id) as agent_id
    from {{ ref('int_ticket_facts') }}
    where agent_id is not null
    group by ticket_id
    having count(*) = 1
),

responses as (
    select
        responses.source,
        responses.response_id,
        coalesce(responses.about_kind, invitations.about_kind) as about_kind,
        coalesce(responses.about_id, invitations.about_id) as about_id
    from {{ ref('int_survey_responses') }} as responses
    left join {{ ref('int_survey_invitations') }} as invitations
        on responses.source = invitations.source and responses.invitation_id = invitations.invitation_id and invitations._status = 'used'
    where responses._status = 'used'
),

satisfaction as (
    select
        handlers.agent_id,
        cast(date_trunc('month', answers.responded_on) as date) as month_on,
        count(*) as csat_answers,
        count(*) filter (where answers.is_csat_satisfied) as csat_satisfied
    from {{ ref('fct_survey_answers') }} as answers
    inner join responses on answers.source = responses.source and answers.response_id = responses.response_id
    inner join handlers on responses.about_kind = handlers.about_kind and responses.about_id = handlers.about_id
    where answers.is_csat
    group by all
),

fatal as (
    select
        agent_id,
        counted_month as month_on,
        count(*) filter (where is_fatal) as fatal_errors
    from {{ ref('fct_quality_sheets') }}
    where is_in_base
    group by agent_id, counted_month
)

select
    months.agent_id,
    months.month_on,
    months.item,
    months.org_unit_id,
    cast(months.reviews as integer) as reviews,
    months.score,
    months.low,
    months.high,
    months.company_score,
    cast(months.best_place as integer) as best_place,
    cast(months.worst_place as integer) as worst_place,
    cast(months.ranked_agents as integer) as ranked_agents,
    cast(coalesce(fatal.fatal_errors, 0) as integer) as fatal_errors,
    coverage.contacts_handled,
    cast(coalesce(satisfaction.csat_answers, 0) as integer) as csat_answers,
    satisfaction.csat_satisfied / nullif(satisfaction.csat_answers, 0) as csat_top2,
    coverage.is_settled,
    months.model_version,
    months.as_of
from {{ ref('score_agent_quality_months') }} as months
left join fatal on months.agent_id = fatal.agent_id and months.month_on = fatal.month_on
left join {{ ref('fct_quality_coverage') }} as coverage on months.agent_id = coverage.agent_id and months.month_on = coverage.handled_month
left join satisfaction on months.agent_id = satisfaction.agent_id and months.month_on = satisfaction.month_on
