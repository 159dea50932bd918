-- Of all that a period's weights say, the answered part is known; the rest is what those would say who did not answer, if they are like
-- those who did wherever the facts agree. The bounds ask for no such belief: all who are silent say the lowest, or all the highest.
with modelled as (
    select
        source,
        response_id,
        survey_id,
        period,
        coalesce(base_weight, 1) as base_weight,
        weight,
        weight - coalesce(base_weight, 1) as silent_weight
    from {{ ref('fct_survey_weights') }}
    where weight_state = 'modelled'
),

answers as (
    select
        source,
        response_id,
        is_csat,
        is_csat_satisfied,
        is_nps,
        is_promoter,
        is_detractor,
        is_ces,
        score_100
    from {{ ref('int_answer_scores') }}
    where is_csat or is_nps or is_ces
),

measured as (
    select source, response_id, 'csat_top2' as metric, case when is_csat_satisfied then 1.0 else 0.0 end as answer, 0.0 as lowest, 1.0 as highest
    from answers
    where is_csat
    union all
    select source, response_id, 'csat_mean' as metric, score_100 as answer, 0.0 as lowest, 100.0 as highest
    from answers
    where is_csat
    union all
    select
        source, response_id, 'nps' as metric, case when is_promoter then 100.0 when is_detractor then -100.0 else 0.0 end as answer, -100.0 as lowest,
        100.0 as highest
    from answers
    where is_nps
    union all
    select source, response_id, 'ces' as metric, score_100 as answer, 0.0 as lowest, 100.0 as highest
    from answers
    where is_ces
),

joined as (
    select
        modelled.source,
        modelled.survey_id,
        modelled.period,
        measured.metric,
        measured.answer,
        measured.lowest,
        measured.highest,
        modelled.base_weight,
        modelled.weight,
        modelled.silent_weight,
        sum(modelled.silent_weight * measured.answer) over by_metric / nullif(sum(modelled.silent_weight) over by_metric, 0) as silent_value
    from modelled
    inner join measured on modelled.source = measured.source and modelled.response_id = measured.response_id
    window by_metric as (partition by modelled.source, modelled.survey_id, modelled.period, measured.metric)
),

summed as (
    select
        source,
        survey_id,
        period,
        metric,
        count(*) as answers,
        any_value(lowest) as lowest,
        any_value(highest) as highest,
        sum(base_weight) as answered_weight,
        sum(weight) as population,
        sum(base_weight * answer) / nullif(sum(base_weight), 0) as answered_value,
        sum(weight * answer) / nullif(sum(weight), 0) as population_value,
        any_value(silent_value) as silent_value,
        sqrt(
            sum(silent_weight * silent_weight * (answer - silent_value) * (answer - silent_value))
            * count(*) / nullif(count(*) - 1, 0)
        ) / nullif(abs(sum(silent_weight)), 0) as silent_error
    from joined
    group by source, survey_id, period, metric
),

periods as (
    select
        source,
        survey_id,
        period,
        sum(sent) as invited,
        sum(answered) as answered,
        cast(date_trunc('month', min(first_day)) as date) as sent_month
    from {{ ref('ftr_survey_classes') }}
    group by source, survey_id, period
)

select
    summed.source,
    summed.survey_id,
    summed.period,
    summed.metric,
    cast(periods.invited as bigint) as invited,
    cast(periods.invited - periods.answered as bigint) as silent,
    cast(summed.answers as bigint) as answers,
    -- Sums of fractions depend on the order of rows in their last digits.
    round(summed.answered_value, 9) as answered_value,
    round(summed.population_value, 9) as population_value,
    round(summed.silent_value, 9) as silent_value,
    case
        when summed.population > summed.answered_weight
            then round(greatest(summed.lowest, summed.silent_value - 1.959964 * summed.silent_error), 9)
    end as silent_low,
    case
        when summed.population > summed.answered_weight
            then round(least(summed.highest, summed.silent_value + 1.959964 * summed.silent_error), 9)
    end as silent_high,
    round(
        (summed.answered_weight * summed.answered_value + (summed.population - summed.answered_weight) * summed.lowest) / nullif(summed.population, 0),
        9
    ) as population_lowest,
    round(
        (summed.answered_weight * summed.answered_value + (summed.population - summed.answered_weight) * summed.highest) / nullif(summed.population, 0),
        9
    ) as population_highest,
    periods.sent_month
from summed
inner join periods on summed.source = periods.source and summed.survey_id = periods.survey_id and summed.period = periods.period
