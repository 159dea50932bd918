-- Of the lines that fit a unit and hold in a month, the closest unit wins, then the newest line; where none fits, the headline target of the metric holds.
with months as (
    select
        metric,
        unit_level,
        org_unit_id,
        cast(date_trunc('month', day) as date) as month_start,
        last_day(min(day)) as month_end
    from {{ ref('ftr_control_points') }}
    where is_charted and part is null
    group by all
),

fitting as (
    select
        months.*,
        lines.target,
        lines.plan,
        lines.owner,
        row_number() over (
            partition by months.metric, months.unit_level, months.org_unit_id, months.month_start
            order by lines.org_unit_id = months.org_unit_id desc, length(lines.org_unit_id) desc, lines.valid_from desc
        ) as line_rank
    from months
    inner join {{ ref('unit_targets') }} as lines
        on
            months.metric = lines.metric
            and months.month_end >= lines.valid_from
            and (
                months.org_unit_id = lines.org_unit_id
                or lines.org_unit_id = '*'
                or (right(lines.org_unit_id, 1) = '*' and starts_with(months.org_unit_id, rtrim(lines.org_unit_id, '*')))
            )
),

headlines as (
    select
        months.*,
        lines.target,
        row_number() over (partition by months.metric, months.unit_level, months.org_unit_id, months.month_start order by lines.valid_from desc) as line_rank
    from months
    inner join {{ ref('targets') }} as lines on months.metric = lines.metric and months.month_end >= lines.valid_from
)

select
    months.metric,
    months.unit_level,
    months.org_unit_id,
    concat(months.metric, '|', months.unit_level, '|', coalesce(months.org_unit_id, 'all')) as chart_id,
    charts.direction,
    coalesce(fitting.target, headlines.target) as target,
    coalesce(fitting.plan, fitting.target, headlines.target) as plan,
    coalesce(fitting.owner, charts.owner) as owner,
    case when fitting.metric is not null then 'unit_targets' else 'targets' end as target_from,
    months.month_start
from months
inner join {{ ref('control_charts') }} as charts on months.metric = charts.metric
left join fitting
    on
        months.metric = fitting.metric
        and months.unit_level = fitting.unit_level
        and months.org_unit_id is not distinct from fitting.org_unit_id
        and months.month_start = fitting.month_start
        and fitting.line_rank = 1
left join headlines
    on
        months.metric = headlines.metric
        and months.unit_level = headlines.unit_level
        and months.org_unit_id is not distinct from headlines.org_unit_id
        and months.month_start = headlines.month_start
        and headlines.line_rank = 1
where fitting.metric is not null or headlines.metric is not null
