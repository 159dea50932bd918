-- Our own index has a sampling error, a published figure its bounds: one is above the other only if they do not touch.
with own as (
    select
        index.model,
        index.period,
        index.product_line,
        min(index.responded_on) as first_day,
        sum(index.respondents) as respondents,
        sum(index.weight_sum) as base,
        sum(index.weight_squares_sum) as base_squares,
        sum(index.weighted_index_sum) as total,
        sum(index.weighted_index_times_weight_sum) as products,
        sum(index.weighted_index_squares_sum) as squares
    from {{ ref('fct_satisfaction_index') }} as index
    where index.index_role = 'satisfaction'
    group by index.model, index.period, index.product_line
),

estimated as (
    select
        own.model,
        own.period,
        own.product_line,
        own.first_day,
        own.respondents,
        round(own.total / nullif(own.base, 0), 9) as index_value,
        round(1.959964 * sqrt(
            greatest(0, own.squares - 2 * own.total / nullif(own.base, 0) * own.products + power(own.total / nullif(own.base, 0), 2) * own.base_squares)
            * own.respondents / nullif(own.respondents - 1, 0)
        ) / nullif(own.base, 0), 9) as half
    from own
),

published as (
    select
        measures.measure,
        measures.entity,
        measures.source,
        measures.period,
        measures.product_line,
        measures.published_value,
        measures.lower_bound,
        measures.upper_bound,
        measures.value_note,
        try_cast(nullif(regexp_extract(measures.period, '[0-9]{4}'), '') as integer) as published_year
    from {{ ref('fct_external_measures') }} as measures
)

select
    estimated.model,
    estimated.period,
    estimated.product_line,
    published.source,
    published.entity,
    estimated.index_value as own_index,
    estimated.index_value - estimated.half as own_low,
    estimated.index_value + estimated.half as own_high,
    cast(estimated.respondents as integer) as own_respondents,
    estimated.respondents < {{ threshold('index_minimum_base') }} as is_small_base,
    published.period as published_period,
    published.published_value,
    published.lower_bound,
    published.upper_bound,
    published.value_note,
    year(estimated.first_day) - published.published_year as years_apart,
    case
        when estimated.index_value - estimated.half > published.upper_bound then 'above'
        when estimated.index_value + estimated.half < published.lower_bound then 'below'
        else 'undecided'
    end as standing,
    estimated.first_day
from estimated
inner join published
    on
        lower(estimated.model) = lower(published.measure)
        and estimated.product_line = published.product_line
        and published.published_year <= year(estimated.first_day)
qualify
    row_number() over (
        partition by estimated.model, estimated.period, estimated.product_line, published.source, published.entity
        order by published.published_year desc, published.period desc
    ) = 1
