{%- set z = 1.959964 %}
-- The months up to the newest final one of each metric. What closing a gap brings in a month is base x gap: answers more that are satisfied, contacts saved and so on (`gain`).
with spans as (
    select
        metric,
        max(month_start) as last_month,
        greatest(min(month_start), {{ months_before('max(month_start)', "cast(" ~ threshold('shortboard_months') ~ " as integer) - 1") }}) as first_month
    from {{ ref('fct_plan_actual') }}
    where unit_level = 'headquarters' and is_final
    group by metric
),

summed as (
    select
        months.chart_id,
        months.metric,
        months.unit_level,
        months.org_unit_id,
        months.parent_unit_id,
        months.direction,
        months.owner,
        cast(spans.first_month as date) as first_month,
        spans.last_month,
        {{ months_between('spans.first_month', 'spans.last_month') }} + 1 as month_count,
        sum(months.numerator) as numerator,
        sum(months.denominator) as denominator,
        arg_max(months.target, months.month_start) as target
    from {{ ref('fct_plan_actual') }} as months
    inner join spans on months.metric = spans.metric and months.month_start between spans.first_month and spans.last_month
    inner join {{ ref('control_charts') }} as charts on months.metric = charts.metric
    where
        months.unit_level <> 'rest'
        and charts.chart_kind in ('p', 'laney_p', 'g')
    group by months.chart_id, months.metric, months.unit_level, months.org_unit_id, months.parent_unit_id, months.direction, months.owner, spans.first_month, spans.last_month
),

rated as (
    select
        *,
        numerator / nullif(denominator, 0) as value,
        denominator >= {{ threshold('shortboard_minimum_base') }} as is_ranked,
        case when direction = 'down' then 1 else -1 end as worse_sign
    from summed
),

bounded as (
    select
        *,
        (value + {{ z * z }} / (2 * denominator) - {{ z }} * sqrt((value * (1 - value) + {{ z * z }} / (4 * denominator)) / denominator)) / (1 + {{ z * z }} / denominator) as low,
        (value + {{ z * z }} / (2 * denominator) + {{ z }} * sqrt((value * (1 - value) + {{ z * z }} / (4 * denominator)) / denominator)) / (1 + {{ z * z }} / denominator) as high
    from rated
    where denominator > 0
),

best as (
    select
        metric,
        unit_level,
        arg_min(org_unit_id, row(worse_sign * value, org_unit_id)) as best_unit_id,
        arg_min(value, row(worse_sign * value, org_unit_id)) as best_value
    from bounded
    where is_ranked and unit_level <> 'headquarters'
    group by metric, unit_level
),

gaps as (
    select
        bounded.*,
        best.best_unit_id,
        best.best_value,
        case when bounded.target is not null then greatest(bounded.worse_sign * (bounded.value - bounded.target), 0) end as gap_to_target,
        case when best.best_value is not null then greatest(bounded.worse_sign * (bounded.value - best.best_value), 0) end as gap_to_best,
        case when bounded.worse_sign > 0 then bounded.low > bounded.target else bounded.high < bounded.target end as is_certain_to_miss
    from bounded
    left join best on bounded.metric = best.metric and bounded.unit_level = best.unit_level
)

select
    gaps.chart_id,
    gaps.metric,
    gaps.unit_level,
    gaps.org_unit_id,
    gaps.parent_unit_id,
    gaps.direction,
    gaps.owner,
    charts.gain,
    cast(gaps.numerator as bigint) as numerator,
    cast(gaps.denominator as bigint) as denominator,
    gaps.value,
    gaps.low,
    gaps.high,
    gaps.target,
    gaps.best_unit_id,
    gaps.best_value,
    gaps.gap_to_target,
    gaps.gap_to_best,
    gaps.gap_to_target * gaps.denominator / gaps.month_count as gain_to_target_a_month,
    gaps.gap_to_best * gaps.denominator / gaps.month_count as gain_to_best_a_month,
    gaps.is_ranked,
    gaps.is_certain_to_miss,
    cast(case
        when gaps.is_ranked
            then rank() over (
                partition by gaps.metric, gaps.unit_level, gaps.is_ranked
                order by round(coalesce(gaps.gap_to_target, gaps.gap_to_best) * gaps.denominator, 6) desc
            )
    end as integer) as gain_rank,
    gaps.first_month,
    gaps.last_month
from gaps
inner join {{ ref('control_charts') }} as charts on gaps.metric = charts.metric
