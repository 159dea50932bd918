-- A respondent's index is the weighted mean of the answers that he or she gave, if they carry enough of the weight. Sums of fractions depend in their last
-- digits on the order in which they are added: rounded, two equal runs give equal rows.
with responses as (
    select
        answers.model,
        answers.period,
        answers.source,
        answers.response_id,
        answers.latent_variable,
        any_value(answers.survey_id) as survey_id,
        any_value(answers.org_unit_id) as org_unit_id,
        any_value(answers.product_line) as product_line,
        any_value(answers.customer_kind) as customer_kind,
        any_value(answers.channel) as channel,
        any_value(answers.response_weight) as response_weight,
        any_value(answers.responded_on) as responded_on,
        sum(weights.weight * answers.score_100) as weighted,
        sum(weights.weight) filter (where answers.score_100 is not null) as answered,
        sum(weights.own_weight * answers.score_100) as own_weighted,
        sum(weights.own_weight) filter (where answers.score_100 is not null) as own_answered
    from {{ ref('ftr_index_answers') }} as answers
    inner join {{ ref('fct_index_weights') }} as weights
        on
            answers.model = weights.model
            and answers.period = weights.period
            and answers.latent_variable = weights.latent_variable
            and answers.item = weights.item
    group by answers.model, answers.period, answers.source, answers.response_id, answers.latent_variable
)

select
    responses.model,
    responses.period,
    responses.source,
    responses.response_id,
    responses.latent_variable,
    responses.survey_id,
    responses.org_unit_id,
    responses.product_line,
    responses.customer_kind,
    responses.channel,
    round(coalesce(responses.answered, 0), 9) as answered_share,
    case
        when responses.answered >= {{ threshold('index_answered_share') }} - 1e-6 then round(responses.weighted / nullif(responses.answered, 0), 9)
    end as index_score,
    case
        when responses.own_answered >= {{ threshold('index_answered_share') }} - 1e-6 then round(responses.own_weighted / nullif(responses.own_answered, 0), 9)
    end as own_index_score,
    responses.response_weight,
    responses.responded_on
from responses
