-- Mode is how the answer came, the facts are those of the invitation but for its channel.
{% set facts = survey_facts() | reject('equalto', 'channel') | list %}
with answers as (
    select
        source,
        response_id,
        survey_id,
        question_role,
        channel as mode,
        score_100,
        responded_on
    from {{ ref('fct_survey_answers') }}
    where is_valid and question_role in ('csat', 'nps', 'ces') and score_100 is not null
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
