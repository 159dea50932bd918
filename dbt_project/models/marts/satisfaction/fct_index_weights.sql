-- The weights that hold in a period are frozen, so that a trend shows answers and not weights: those of the seed, else those of one estimate for all periods.
with periods as (
    select
        answers.model,
        answers.period,
        min(answers.responded_on) as first_day,
        max(answers.responded_on) as last_day
    from {{ ref('ftr_index_answers') }} as answers
    group by answers.model, answers.period
),

newest as (
    select max(responses.responded_on) as newest_day
    from {{ ref('fct_survey_responses') }} as responses
),

-- A period is complete when a later one has begun, or when its last answer is some time ago.
finished as (
    select
        periods.model,
        periods.period,
        periods.first_day,
        lead(periods.first_day) over (partition by periods.model order by periods.first_day, periods.period) is not null
        or periods.last_day + cast({{ threshold('index_wave_settle') }} / 86400 as integer) <= newest.newest_day as is_complete
    from periods
    cross join newest
),

estimates as (
    select
        scores.model,
        scores.period,
        scores.latent_variable,
        scores.item,
        scores.figure_value as own_weight,
        scores.low as own_weight_low,
        scores.high as own_weight_high,
        scores.reason
    from {{ ref('score_index_paths') }} as scores
    where scores.figure in ('index_weight', 'excluded_item')
),

seeded as (
    select distinct
        s.model,
        s.valid_from
    from {{ ref('index_weights') }} as s
),

-- Of the sets of the seed the newest that has begun holds; before the first one the first one does.
seed_sets as (
    select
        periods.model,
        periods.period,
        coalesce(max(seeded.valid_from) filter (where seeded.valid_from <= periods.first_day), min(seeded.valid_from)) as valid_from
    from periods
    inner join seeded on periods.model = seeded.model
    group by periods.model, periods.period
),

first_estimates as (
    select
        finished.model,
        finished.period,
        finished.is_complete
    from finished
    where
        exists (
            select 1 from estimates
            where estimates.model = finished.model and estimates.period = finished.period and estimates.own_weight is not null
        )
        and finished.model not in (select seed_sets.model from seed_sets)
    qualify row_number() over (partition by finished.model order by finished.is_complete desc, finished.first_day asc, finished.period asc) = 1
),

held as (
    select
        seed_sets.model,
        seed_sets.period,
        weights.latent_variable,
        weights.item,
        weights.weight,
        concat('seed ', seed_sets.valid_from) as weights_from,
        true as is_final
    from seed_sets
    inner join {{ ref('index_weights') }} as weights on seed_sets.model = weights.model and seed_sets.valid_from = weights.valid_from
    union all
    select
        periods.model,
        periods.period,
        estimates.latent_variable,
        estimates.item,
        estimates.own_weight as weight,
        concat('estimate of ', first_estimates.period) as weights_from,
        first_estimates.is_complete as is_final
    from periods
    inner join first_estimates on periods.model = first_estimates.model
    inner join estimates on first_estimates.model = estimates.model and first_estimates.period = estimates.period
    where estimates.own_weight is not null
),

origins as (
    select distinct
        held.model,
        held.period,
        held.weights_from,
        held.is_final
    from held
),

items as (
    select distinct
        answers.model,
        answers.period,
        answers.latent_variable,
        answers.item
    from {{ ref('ftr_index_answers') }} as answers
    union
    select
        held.model,
        held.period,
        held.latent_variable,
        held.item
    from held
)

select
    items.model,
    items.period,
    items.latent_variable,
    items.item,
    round(held.weight / nullif(sum(held.weight) over (partition by items.model, items.period, items.latent_variable), 0), 9) as weight,
    origins.weights_from,
    coalesce(origins.is_final, false) as is_final,
    estimates.own_weight,
    estimates.own_weight_low,
    estimates.own_weight_high,
    excluded.reason as own_reason,
    finished.first_day,
    finished.is_complete
from items
inner join finished on items.model = finished.model and items.period = finished.period
left join held
    on items.model = held.model and items.period = held.period and items.latent_variable = held.latent_variable and items.item = held.item
left join origins on items.model = origins.model and items.period = origins.period
left join estimates
    on
        items.model = estimates.model
        and items.period = estimates.period
        and items.latent_variable = estimates.latent_variable
        and items.item = estimates.item
left join estimates as excluded
    on items.model = excluded.model and items.period = excluded.period and items.item = excluded.item and excluded.own_weight is null
