-- Who was reached beside who answered, fact by fact, and beside what the weighted answers say they are.
with classes as (
    select
        classes.*,
        coalesce(scores.adjustment, 0) * classes.answered as weighted_answers
    from {{ ref('ftr_survey_classes') }} as classes
    left join {{ ref('score_response_weights') }} as scores
        on
            classes.source = scores.source
            and classes.survey_id = scores.survey_id
            and classes.period = scores.period
            and classes.invitation_class = scores.invitation_class
),

periods as (
    select
        source,
        survey_id,
        period,
        cast(date_trunc('month', min(first_day)) as date) as sent_month,
        sum(sent) as sent,
        sum(delivered) as delivered,
        sum(answered) as answered,
        sum(weighted_answers) as weighted_answers
    from classes
    group by source, survey_id, period
),

by_value as (
    {% for fact in survey_facts() %}
    select
        source,
        survey_id,
        period,
        '{{ fact }}' as fact,
        {{ fact }} as fact_value,
        sum(sent) as sent,
        sum(delivered) as delivered,
        sum(answered) as answered,
        sum(weighted_answers) as weighted_answers
    from classes
    group by source, survey_id, period, {{ fact }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    by_value.source,
    by_value.survey_id,
    by_value.period,
    by_value.fact,
    by_value.fact_value,
    cast(by_value.sent as bigint) as invited,
    cast(by_value.delivered as bigint) as delivered,
    cast(by_value.answered as bigint) as answered,
    by_value.answered / nullif(cast(by_value.delivered as double), 0) as response_rate,
    by_value.sent / nullif(cast(periods.sent as double), 0) as share_of_invited,
    by_value.delivered / nullif(cast(periods.delivered as double), 0) as share_of_delivered,
    by_value.answered / nullif(cast(periods.answered as double), 0) as share_of_answered,
    -- A sum of fractions depends on the order of rows in its last digits.
    round(by_value.weighted_answers / nullif(periods.weighted_answers, 0), 9) as share_of_weighted,
    100 * (
        by_value.answered / nullif(cast(periods.answered as double), 0) - by_value.delivered / nullif(cast(periods.delivered as double), 0)
    ) as difference_points,
    100 * (by_value.answered / nullif(cast(periods.answered as double), 0))
    / nullif(by_value.delivered / nullif(cast(periods.delivered as double), 0), 0) as representation_index,
    periods.sent_month
from by_value
inner join periods
    on by_value.source = periods.source and by_value.survey_id = periods.survey_id and by_value.period = periods.period
