{%- set z = 1.959964 %}
-- The last final months of each metric. What closing a gap brings in a month is base x gap: answers more that are satisfied, contacts saved and so on (`gain`).
with final_months as (
    select
        metric,
        month_start,
        row_number() over (partition by metric order by month_start desc) as months_back
    from {{ ref('fct_plan_actual') }}
    where unit_level = 'headquarters' and is_final
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
        min(months.month_start) as first_month,
        max(months.month_start) as last_month,
        max(final_months.months_back) as month_count,
        sum(months.numerator) as numerator,
        sum(months.denominator) as denominator,
        arg_max(months.target, months.month_start) as target
    from {{ ref('fct_plan_actual') }} as months
    inner join final_months on months.metric = final_months.metric and months.month_start = final_months.month_start
    inner join {{ ref('control_charts') }} as charts on months.metric = charts.metric
    where
        final_months.months_back <= {{ threshold('shortboard_months') }}
        and months.unit_level <> 'rest'
        and charts.chart_kind in ('p', 'laney_p')
    group by months.chart_id, months.metric, months.unit_level, months.org_unit_id, months.parent_unit_id, months.direction, months.owner
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
        greatest(bounded.worse_sign * (bounded.value - bounded.target), 0) as gap_to_target,
        greatest(bounded.worse_sign * (bounded.value - best.best_value), 0) as gap_to_best,
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
                order by coalesce(gaps.gap_to_target, gaps.gap_to_best) * gaps.denominator desc
            )
    end as integer) as gain_rank,
    gaps.first_month,
    gaps.last_month
from gaps
inner join {{ ref('control_charts') }} as charts on gaps.metric = charts.metric
