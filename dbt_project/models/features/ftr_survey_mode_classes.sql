-- Mode is how the answer came, the facts are those of the invitation but for its channel.
{% set facts = survey_facts() | reject('equalto', 'channel') | list %}
with answers as (
    select
        scores.source,
        scores.response_id,
        responses.survey_id,
        scores.question_role,
        responses.channel as mode,
        scores.score_100,
        responses.responded_on
    from {{ ref('int_answer_scores') }} as scores
    inner join {{ ref('fct_survey_responses') }} as responses on scores.source = responses.source and scores.response_id = responses.response_id
    where scores.is_valid and scores.question_role in ('csat', 'nps', 'ces') and scores.score_100 is not null
),

answering as (
    select
        source,
        response_id,
        invitation_id
    from {{ ref('int_survey_answering') }}
    where response_state = 'counts'
)

select
    answers.source,
    answers.survey_id,
    answers.question_role,
    answers.mode,
    {% for fact in facts %}
    invitations.{{ fact }},
    {% endfor %}
    cast(count(*) as bigint) as answers,
    sum(answers.score_100) as score_sum,
    sum(answers.score_100 * answers.score_100) as score_sum_squares,
    max(answers.responded_on) as last_day
from answers
inner join answering on answers.source = answering.source and answers.response_id = answering.response_id
inner join {{ ref('ftr_survey_invitations') }} as invitations
    on answering.source = invitations.source and answering.invitation_id = invitations.invitation_id
group by
    answers.source,
    answers.survey_id,
    answers.question_role,
    answers.mode
    {%- for fact in facts %},
    invitations.{{ fact }}
    {%- endfor %}
