-- An answer stands on the scale it was given on (`score_100`), so that a scale that changed between waves, or is reversed, is one like the others.
with models as (
    select distinct
        m.model,
        m.survey,
        m.latent_variable
    from {{ ref('index_models') }} as m
)

select
    models.model,
    case
        when responses.wave <> 'unknown' then responses.wave
        else concat(year(responses.responded_on), '-Q', quarter(responses.responded_on))
    end as period,
    answers.source,
    answers.response_id,
    models.latent_variable,
    answers.question_id as item,
    responses.survey_id,
    responses.org_unit_id,
    responses.product_line,
    responses.customer_kind,
    responses.channel,
    case when answers.is_valid then answers.score_100 end as score_100,
    responses.weight as response_weight,
    responses.responded_on
from {{ ref('int_answer_scores') }} as answers
inner join {{ ref('fct_survey_responses') }} as responses on answers.source = responses.source and answers.response_id = responses.response_id
inner join models
    on
        answers.construct = models.latent_variable
        and case
            when right(models.survey, 1) = '*' then starts_with(responses.survey_id, left(models.survey, length(models.survey) - 1))
            else responses.survey_id = models.survey
        end
-- A response without a weight (a base weight of 0 or below, a second answer to one invitation) counts in no weighted number.
where answers.question_role = 'index_item' and responses.weight is not null
