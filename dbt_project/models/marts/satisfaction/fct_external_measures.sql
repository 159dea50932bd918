-- A figure that is only known within bounds may take several ranks; what is known neither way may take all of them.
with figures as (
    select
        measures.source,
        measures.measure,
        measures.entity,
        measures.period,
        {{ or_unknown('measures.product_line') }} as product_line,
        measures.value as published_value,
        coalesce(measures.lower_bound, measures.value) as lower_bound,
        coalesce(measures.upper_bound, measures.value) as upper_bound,
        measures.value_note,
        measures.cited_source
    from {{ ref('int_external_measures') }} as measures
    where measures._status = 'used'
),

ranked as (
    select
        figures.source,
        figures.measure,
        figures.entity,
        figures.period,
        figures.product_line,
        1 + count(others.entity) as figures_compared,
        1 + count(*) filter (where others.lower_bound > figures.upper_bound) as highest_rank,
        1 + count(others.entity) - count(*) filter (where others.upper_bound <= figures.lower_bound) as lowest_rank
    from figures
    left join figures as others
        on
            figures.source = others.source
            and figures.measure = others.measure
            and figures.period = others.period
            and figures.product_line = others.product_line
            and figures.entity <> others.entity
    group by figures.source, figures.measure, figures.entity, figures.period, figures.product_line
)

select
    figures.source,
    figures.measure,
    figures.entity,
    figures.period,
    figures.product_line,
    figures.published_value,
    figures.lower_bound,
    figures.upper_bound,
    figures.value_note,
    figures.cited_source,
    cast(ranked.figures_compared as integer) as figures_compared,
    cast(ranked.highest_rank as integer) as highest_rank,
    cast(ranked.lowest_rank as integer) as lowest_rank,
    ranked.highest_rank = ranked.lowest_rank as is_rank_certain,
    ranked.figures_compared > 1 and ranked.highest_rank = ranked.figures_compared as is_certainly_last
from figures
inner join ranked
    on
        figures.source = ranked.source
        and figures.measure = ranked.measure
        and figures.entity = ranked.entity
        and figures.period = ranked.period
        and figures.product_line = ranked.product_line
