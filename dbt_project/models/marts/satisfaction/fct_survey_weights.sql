-- weight = base weight x adjustment (non-response x raking, trimmed). A response of a survey that sends no invitations has its base weight
-- alone; one that does not count has none.
with responses as (
    select
        responses.source,
        responses.response_id,
        responses.invitation_id,
        responses.survey_id,
        responses.org_unit_id,
        responses.base_weight,
        answering.response_state,
        answering.is_of_invited_survey,
        invitations.period as invited_period,
        invitations.invitation_class,
        {{ survey_period('responses.wave', local_day('responses.responded_at', 'units.time_zone')) }} as responded_period,
        {{ local_day('responses.responded_at', 'units.time_zone') }} as responded_on
    from {{ ref('int_survey_responses') }} as responses
    inner join {{ ref('int_survey_answering') }} as answering
        on responses.source = answering.source and responses.response_id = answering.response_id
    left join {{ ref('ftr_survey_invitations') }} as invitations
        on responses.source = invitations.source and responses.invitation_id = invitations.invitation_id
    left join {{ ref('dim_org_units') }} as units on responses.org_unit_id = units.org_unit_id
    where responses._status = 'used'
),

adjusted as (
    select
        responses.*,
        coalesce(responses.invited_period, responses.responded_period) as period,
        scores.model_state,
        scores.propensity,
        scores.nonresponse_weight,
        scores.raking_factor,
        scores.adjustment,
        scores.is_trimmed,
        case
            -- Also what is no number.
            when not coalesce(responses.base_weight > 0 and responses.base_weight < cast('infinity' as double), true) then 'base_not_positive'
            when responses.response_state = 'without_invitation' and not responses.is_of_invited_survey then 'base_only'
            when responses.response_state <> 'counts' then responses.response_state
            when scores.model_state in ('fitted', 'not_converged') then 'modelled'
            else 'base_and_rate'
        end as weight_state
    from responses
    left join {{ ref('score_response_weights') }} as scores
        on
            responses.source = scores.source
            and responses.survey_id = scores.survey_id
            and responses.invited_period = scores.period
            and responses.invitation_class = scores.invitation_class
),

weighed as (
    select
        *,
        case
            when weight_state in ('modelled', 'base_and_rate') then coalesce(base_weight, 1) * adjustment
            when weight_state = 'base_only' then coalesce(base_weight, 1)
        end as weight
    from adjusted
)

select
    source,
    response_id,
    invitation_id,
    survey_id,
    org_unit_id,
    period,
    response_state,
    weight_state,
    model_state,
    base_weight,
    propensity,
    nonresponse_weight,
    raking_factor,
    adjustment,
    weight,
    -- Sums of fractions depend on the order of rows in their last digits.
    round(weight / nullif(avg(weight) over (partition by source, survey_id, period), 0), 9) as relative_weight,
    coalesce(is_trimmed and weight is not null, false) as is_trimmed,
    responded_on
from weighed
