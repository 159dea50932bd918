with responses as (
    select
        source,
        response_id,
        invitation_id,
        survey_id,
        responded_at
    from {{ ref('int_survey_responses') }}
    where _status = 'used'
),

invitations as (
    select
        source,
        invitation_id,
        survey_id,
        sent_at
    from {{ ref('int_survey_invitations') }}
    where _status = 'used'
),

first_sent as (
    select
        source,
        survey_id,
        min(sent_at) as first_sent_at
    from invitations
    group by source, survey_id
),

matched as (
    select
        responses.source,
        responses.response_id,
        responses.invitation_id,
        responses.responded_at,
        invitations.sent_at as invited_at,
        invitations.invitation_id is null as is_without_invitation,
        coalesce(responses.responded_at < invitations.sent_at, false) as is_before_invitation,
        coalesce(first_sent.first_sent_at <= responses.responded_at, false) as is_of_invited_survey
    from responses
    left join invitations on responses.source = invitations.source and responses.invitation_id = invitations.invitation_id
    left join first_sent on responses.source = first_sent.source and responses.survey_id = first_sent.survey_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by source, invitation_id, is_without_invitation, is_before_invitation order by responded_at desc, response_id desc
        ) as newest_first
    from matched
)

select
    source,
    response_id,
    invitation_id,
    case
        when is_without_invitation then 'without_invitation'
        when is_before_invitation then 'before_invitation'
        when newest_first > 1 then 'repeated'
        else 'counts'
    end as response_state,
    is_of_invited_survey,
    invited_at,
    responded_at
from ranked
