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
        when answers.wave <> 'unknown' then answers.wave
        else concat(year(answers.responded_on), '-Q', quarter(answers.responded_on))
    end as period,
    answers.source,
    answers.response_id,
    models.latent_variable,
    answers.question_id as item,
    answers.survey_id,
    answers.org_unit_id,
    answers.product_line,
    answers.customer_kind,
    answers.channel,
    case when answers.is_valid then answers.score_100 end as score_100,
    answers.weight as response_weight,
    answers.responded_on
from {{ ref('fct_survey_answers') }} as answers
inner join models
    on
        answers.construct = models.latent_variable
        and case
            when right(models.survey, 1) = '*' then starts_with(answers.survey_id, left(models.survey, length(models.survey) - 1))
            else answers.survey_id = models.survey
        end
-- A response without a weight (a base weight of 0 or below, a second answer to one invitation) counts in no weighted number.
where answers.question_role = 'index_item' and answers.weight is not null
