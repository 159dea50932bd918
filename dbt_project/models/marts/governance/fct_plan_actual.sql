-- A month is final when its last day is. Until then a forecast adds to the final days what the rest of the month brings, if rate and volume stay those of the last
-- days: its error is that of the counts to come and of the rate it carries on, widened by the spread between days that the control chart found.
with points as (
    select * from {{ ref('fct_control_points') }}
    where part is null
),

final_days as (
    select
        metric,
        max(counted_on) as last_final_day
    from points
    where is_final
    group by metric
),

spreads as (
    select
        chart_id,
        greatest(median(sigma / nullif(sqrt(centre * (1 - centre) / nullif(denominator, 0)), 0)), 1) as spread
    from points
    where centre > 0 and centre < 1 and sigma is not null and chart_kind in ('p', 'laney_p')
    group by chart_id
),

recent as (
    select
        points.chart_id,
        sum(points.numerator) as numerator,
        sum(points.denominator) as denominator
    from points
    inner join final_days on points.metric = final_days.metric
    where points.is_final and points.counted_on > final_days.last_final_day - cast({{ threshold('forecast_window') }} as integer)
    group by points.chart_id
),

months as (
    select
        points.chart_id,
        points.metric,
        points.chart_kind,
        points.unit_level,
        points.org_unit_id,
        points.parent_unit_id,
        points.direction,
        points.minimum_base,
        points.owner,
        cast(date_trunc('month', points.counted_on) as date) as month_start,
        last_day(min(points.counted_on)) as month_end,
        cast(sum(points.numerator) as bigint) as numerator,
        cast(sum(points.denominator) as bigint) as denominator,
        coalesce(sum(points.numerator) filter (where points.is_final), 0) as final_numerator,
        coalesce(sum(points.denominator) filter (where points.is_final), 0) as final_denominator
    from points
    group by all
),

carried as (
    select
        months.*,
        final_days.last_final_day,
        months.month_end <= final_days.last_final_day as is_final,
        greatest(months.month_end - greatest(final_days.last_final_day, months.month_start - 1), 0) as days_left,
        recent.numerator / nullif(recent.denominator, 0) as recent_rate,
        recent.denominator / {{ threshold('forecast_window') }} as recent_base_a_day,
        recent.denominator as recent_base,
        coalesce(spreads.spread, 1) as spread
    from months
    inner join final_days on months.metric = final_days.metric
    left join recent on months.chart_id = recent.chart_id
    left join spreads on months.chart_id = spreads.chart_id
),

forecasts as (
    select
        *,
        case when not is_final then final_denominator + recent_base_a_day * days_left end as forecast_denominator,
        case when not is_final then final_numerator + recent_rate * recent_base_a_day * days_left end as forecast_numerator,
        case when not is_final then recent_base_a_day * days_left end as base_to_come
    from carried
),

errors as (
    select
        *,
        forecast_numerator / nullif(forecast_denominator, 0) as forecast,
        case
            when chart_kind = 'xmr' then null
            when chart_kind in ('p', 'laney_p', 'g')
                then spread * sqrt(recent_rate * (1 - recent_rate) * (base_to_come + base_to_come * base_to_come / nullif(recent_base, 0)))
            else spread * sqrt(recent_rate * (base_to_come + base_to_come * base_to_come / nullif(recent_base, 0)))
        end / nullif(forecast_denominator, 0) as forecast_error
    from forecasts
),

compared as (
    select
        errors.*,
        targets.target,
        targets.plan,
        targets.owner as target_owner,
        errors.numerator / nullif(errors.denominator, 0) as actual,
        case when errors.direction = 'down' then 1 else -1 end as worse_sign
    from errors
    left join {{ ref('fct_targets') }} as targets on errors.chart_id = targets.chart_id and errors.month_start = targets.month_start
)

select
    chart_id,
    metric,
    unit_level,
    org_unit_id,
    parent_unit_id,
    direction,
    coalesce(target_owner, owner) as owner,
    numerator,
    denominator,
    actual,
    target,
    plan,
    actual - plan as difference,
    forecast_numerator,
    forecast_denominator,
    forecast,
    forecast_error,
    worse_sign * (forecast - plan) / nullif(forecast_error, 0) as forecast_errors_beyond_plan,
    cast(days_left as integer) as days_left,
    is_final,
    case
        when denominator = 0 then 'no_base'
        when plan is null then 'no_plan'
        when not is_final then 'running'
        when denominator < minimum_base then 'small_base'
        when worse_sign * (actual - plan) > 0 then 'missed'
        else 'met'
    end as plan_state,
    coalesce(
        not is_final and forecast_denominator >= minimum_base
        and worse_sign * (forecast - plan) >= {{ threshold('early_warning') }} * forecast_error, false
    ) as is_early_warning,
    last_final_day,
    month_start
from compared
