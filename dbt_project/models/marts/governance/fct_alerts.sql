{%- set splits = {'unit': 'child_unit', 'channel': 'channel', 'product': 'product_line'} %}
-- Three stages. After the fact: signals of one chart in one direction, close together. Early: the running month ends beyond its plan if things go on. In process: promises on
-- tickets that are overdue and open, or run out soon, as of the newest event of the help desk.
with signals as (
    select
        *,
        sum(case when days_since_last > {{ threshold('alert_gap') }} or side <> last_side or last_side is null then 1 else 0 end)
            over (partition by chart_id order by counted_on) as episode
    from (
        select
            *,
            counted_on - lag(counted_on) over (partition by chart_id order by counted_on) as days_since_last,
            lag(side) over (partition by chart_id order by counted_on) as last_side
        from {{ ref('fct_control_points') }}
        where is_signal
    )
),

episodes as (
    select
        chart_id,
        episode,
        max(is_worse) as is_worse,
        min(counted_on) as first_day,
        max(counted_on) as last_day,
        count(*) as signal_days,
        max(abs(score)) as distance
    from signals
    group by chart_id, episode
),

budgets as (
    select
        cast(date_trunc('month', counted_on) as date) as month_start,
        sum(expected_false_alarms) as expected_false_alarms
    from {{ ref('fct_control_points') }}
    group by cast(date_trunc('month', counted_on) as date)
),

charts as (
    select distinct
        chart_id,
        metric,
        unit_level,
        org_unit_id,
        direction,
        owner,
        part,
        is_per_day
    from {{ ref('ftr_control_points') }}
    where is_charted
),

baselines as (
    select
        chart_id,
        min(counted_on) as baseline_first_day,
        max(counted_on) as baseline_last_day
    from {{ ref('fct_control_points') }}
    where is_baseline
    group by chart_id
),

raised as (
    select
        'after_the_fact' as stage,
        chart_id,
        cast(null as double) as reference,
        is_worse,
        first_day,
        last_day,
        signal_days,
        distance
    from episodes
    union all
    select
        'early_warning' as stage,
        chart_id,
        plan as reference,
        true as is_worse,
        month_start as first_day,
        last_final_day as last_day,
        0 as signal_days,
        forecast_errors_beyond_plan as distance
    from {{ ref('fct_plan_actual') }}
    where is_early_warning
),

windows as (
    select
        raised.*,
        charts.metric,
        charts.unit_level,
        charts.org_unit_id,
        charts.direction,
        charts.owner,
        charts.part,
        charts.is_per_day,
        baselines.baseline_first_day,
        baselines.baseline_last_day
    from raised
    inner join charts on raised.chart_id = charts.chart_id
    left join baselines on raised.chart_id = baselines.chart_id
),

levels as (
    select
        windows.stage,
        windows.chart_id,
        windows.first_day,
        sum(points.numerator) as numerator,
        sum(points.denominator) as denominator,
        sum(points.centre * points.denominator) / nullif(sum(points.denominator) filter (where points.centre is not null), 0) as centre
    from windows
    inner join {{ ref('fct_control_points') }} as points on windows.chart_id = points.chart_id and points.counted_on between windows.first_day and windows.last_day
    group by all
),

-- What a chart is made of: its parts in the window of the alert and in the baseline.
parts as (
    select
        windows.stage,
        windows.chart_id,
        windows.first_day,
        windows.is_per_day,
        case windows.unit_level
            when 'province' then coalesce(parts.city_id, 'none')
            when 'city' then coalesce(parts.org_unit_id, 'none')
            else coalesce(parts.province_id, 'none')
        end as child_unit,
        parts.channel,
        parts.product_line,
        parts.day >= windows.first_day as is_now,
        parts.numerator,
        parts.denominator,
        case when windows.is_per_day then windows.last_day - windows.first_day + 1 else 1 end as days_now,
        case when windows.is_per_day then windows.baseline_last_day - windows.baseline_first_day + 1 else 1 end as days_before
    from windows
    inner join {{ ref('ftr_control_parts') }} as parts
        on
            windows.metric = parts.metric
            and (
                windows.unit_level = 'headquarters'
                or (windows.unit_level = 'province' and windows.org_unit_id = parts.province_id)
                or (windows.unit_level = 'city' and windows.org_unit_id = parts.city_id)
                or (windows.unit_level = 'channel' and windows.part = parts.channel)
                or (windows.unit_level = 'product_line' and windows.part = parts.product_line)
            )
            and (
                parts.day between windows.first_day and windows.last_day
                or (parts.day between windows.baseline_first_day and windows.baseline_last_day)
            )
    where windows.baseline_first_day is not null and windows.first_day > windows.baseline_last_day
),
{% for name, column in splits.items() %}
{{ name }}_sums as (
    select
        stage,
        chart_id,
        first_day,
        is_per_day,
        {{ column }} as part,
        coalesce(sum(numerator) filter (where is_now), 0) / max(days_now) as x_now,
        coalesce(sum(numerator) filter (where not is_now), 0) / max(days_before) as x_before,
        coalesce(sum(denominator) filter (where is_now), 0) as n_now,
        coalesce(sum(denominator) filter (where not is_now), 0) as n_before
    from parts
    group by all
),

{{ name }}_shares as (
    select
        *,
        n_now / nullif(sum(n_now) over whole, 0) as w_now,
        n_before / nullif(sum(n_before) over whole, 0) as w_before,
        coalesce(x_now / nullif(n_now, 0), x_before / nullif(n_before, 0)) as r_now,
        coalesce(x_before / nullif(n_before, 0), x_now / nullif(n_now, 0)) as r_before,
        sum(x_now) over whole / nullif(sum(n_now) over whole, 0) as all_now,
        sum(x_before) over whole / nullif(sum(n_before) over whole, 0) as all_before
    from {{ name }}_sums
    window whole as (partition by stage, chart_id, first_day)
),

{{ name }}_effects as (
    select
        stage,
        chart_id,
        first_day,
        part,
        case when is_per_day then 0 else (w_now - w_before) * ((r_now + r_before) / 2 - (all_now + all_before) / 2) end as mix_effect,
        case when is_per_day then x_now - x_before else (r_now - r_before) * (w_now + w_before) / 2 end as level_effect
    from {{ name }}_shares
),

{{ name }}_split as (
    select
        stage,
        chart_id,
        first_day,
        sum(mix_effect) as mix_effect,
        sum(level_effect) as level_effect,
        {%- set effect = 'mix_effect + level_effect' %}
        case when sum({{ effect }}) >= 0 then arg_max(part, row({{ effect }}, part)) else arg_min(part, row({{ effect }}, part)) end as top_part,
        case when sum({{ effect }}) >= 0 then max({{ effect }}) else min({{ effect }}) end / nullif(sum({{ effect }}), 0) as top_share
    from {{ name }}_effects
    group by stage, chart_id, first_day
),
{% endfor %}
-- A known trouble of the unit or of one below it, on the days of the alert or the day before, by the local day: not a proof, but where to look first.
operational_events as (
    select
        events.operational_event_id,
        events.started_at,
        events.org_unit_id,
        units.city_id,
        units.province_id,
        {{ local_day('events.started_at', 'units.time_zone') }} as began_on,
        {{ local_day('coalesce(events.ended_at, events.started_at)', 'units.time_zone') }} as ended_on
    from {{ ref('int_operational_events') }} as events
    left join {{ ref('dim_org_units') }} as units on events.org_unit_id = units.org_unit_id
    where events._status = 'used' and events.event_kind in ('outage', 'fault', 'bad_period')
),

troubles as (
    select
        windows.stage,
        windows.chart_id,
        windows.first_day,
        min_by(events.operational_event_id, row(events.started_at, events.operational_event_id)) as operational_event_id,
        count(*) as operational_events
    from windows
    inner join operational_events as events
        on
            windows.last_day >= events.began_on
            and windows.first_day - 1 <= events.ended_on
            and (windows.unit_level in ('headquarters', 'channel', 'product_line') or windows.org_unit_id in (events.org_unit_id, events.city_id, events.province_id))
    group by all
),

-- In process. What is long overdue on a ticket on which nothing has happened for as long is no running breach: somebody forgot to close it, or all forgot the
-- customer. It is counted apart, and raises nothing by itself: an alarm that stands for months teaches everybody to look away.
help_desk as (
    select
        slas.*,
        horizons.known_until,
        units.province_id,
        units.city_id,
        slas.sla_state = 'breached' as is_overdue,
        greatest(slas.due_at, tickets.last_event_at) < {{ add_seconds('horizons.known_until', "-cast(" ~ threshold('promise_stale') ~ " as bigint)") }} as is_stale
    from {{ ref('fct_ticket_slas') }} as slas
    inner join {{ ref('int_ticket_horizons') }} as horizons on slas.source = horizons.source
    inner join {{ ref('int_ticket_facts') }} as tickets on slas.source = tickets.source and slas.ticket_id = tickets.ticket_id
    left join {{ ref('dim_org_units') }} as units on slas.org_unit_id = units.org_unit_id
    where
        slas.is_in_base
        and horizons.is_current
        and slas.fulfilled_at is null
        and slas.ended_at is null
        and (
            slas.sla_state = 'breached'
            or (slas.sla_state = 'running' and slas.due_at <= {{ add_seconds('horizons.known_until', "cast(" ~ threshold('promise_due_soon') ~ " as bigint)") }})
        )
),

head_office as (
    select case when count(*) = 1 then min(org_unit_id) end as org_unit_id
    from {{ ref('dim_org_units') }}
    where unit_level = 'headquarters'
),

open_promises as (
    select
        *,
        'headquarters' as unit_level,
        (select head_office.org_unit_id from head_office) as alert_unit,
        coalesce(province_id, 'none') as child_unit
    from help_desk
    union all
    select
        *,
        'province' as unit_level,
        province_id as alert_unit,
        coalesce(city_id, 'none') as child_unit
    from help_desk
    where province_id is not null
    union all
    select
        *,
        'city' as unit_level,
        city_id as alert_unit,
        coalesce(org_unit_id, 'none') as child_unit
    from help_desk
    where city_id is not null
),

by_child as (
    select
        unit_level,
        alert_unit,
        sla_metric,
        child_unit,
        count(*) as promises
    from open_promises
    where not is_stale
    group by all
),

running as (
    select
        promises.unit_level,
        promises.alert_unit as org_unit_id,
        promises.sla_metric,
        count(*) filter (where promises.is_overdue and not promises.is_stale) as overdue,
        count(*) filter (where not promises.is_stale) as open_or_soon,
        count(*) filter (where promises.is_stale) as stale_promises,
        min(promises.due_at) filter (where promises.is_overdue and not promises.is_stale) as oldest_due_at,
        max(promises.elapsed_seconds / nullif(promises.target_seconds, 0)) filter (where not promises.is_stale) as times_target,
        max(promises.known_until) as as_of_at
    from open_promises as promises
    group by all
    having count(*) filter (where not promises.is_stale) > 0
),

top_children as (
    select
        unit_level,
        alert_unit as org_unit_id,
        sla_metric,
        arg_max(child_unit, row(promises, child_unit)) as top_part,
        max(promises) / sum(promises) as top_share
    from by_child
    group by all
),


from_charts as (
    select
        concat(windows.stage, '|', windows.chart_id, '|', windows.first_day) as alert_id,
        windows.stage,
        windows.chart_id,
        windows.metric,
        windows.unit_level,
        windows.org_unit_id,
        windows.part,
        windows.owner,
        case
            when not windows.is_worse then 'better'
            when windows.distance >= {{ threshold('alert_critical') }} then 'critical'
            when windows.distance >= {{ threshold('alert_major') }} then 'major'
            else 'minor'
        end as severity,
        windows.is_worse,
        levels.numerator,
        levels.denominator,
        levels.numerator / nullif(levels.denominator, 0) as value,
        coalesce(windows.reference, levels.centre) as reference,
        windows.distance as errors_from_reference,
        windows.signal_days,
        channel_split.mix_effect + channel_split.level_effect as change_since_baseline,
        channel_split.mix_effect as channel_mix_effect,
        product_split.mix_effect as product_mix_effect,
        unit_split.mix_effect as unit_mix_effect,
        unit_split.top_part as top_unit_id,
        unit_split.top_share as top_unit_share,
        channel_split.top_part as top_channel,
        channel_split.top_share as top_channel_share,
        product_split.top_part as top_product_line,
        product_split.top_share as top_product_share,
        case when windows.stage = 'after_the_fact' then budgets.expected_false_alarms end as expected_false_alarms_that_month,
        troubles.operational_event_id,
        coalesce(troubles.operational_events, 0) as operational_events,
        cast(null as bigint) as overdue_seconds,
        cast(null as bigint) as stale_promises,
        cast(null as timestamp) as as_of_at,
        windows.first_day,
        windows.last_day
    from windows
    left join levels on windows.stage = levels.stage and windows.chart_id = levels.chart_id and windows.first_day = levels.first_day
    {%- for name in splits %}
    left join {{ name }}_split on windows.stage = {{ name }}_split.stage and windows.chart_id = {{ name }}_split.chart_id and windows.first_day = {{ name }}_split.first_day
    {%- endfor %}
    left join troubles on windows.stage = troubles.stage and windows.chart_id = troubles.chart_id and windows.first_day = troubles.first_day
    left join budgets on cast(date_trunc('month', windows.first_day) as date) = budgets.month_start
),

from_promises as (
    select
        concat('in_process|', running.sla_metric, '|', running.unit_level, '|', coalesce(running.org_unit_id, 'all')) as alert_id,
        'in_process' as stage,
        cast(null as varchar) as chart_id,
        concat('sla_attainment_', running.sla_metric) as metric,
        running.unit_level,
        running.org_unit_id,
        cast(null as varchar) as part,
        coalesce(charts.owner, 'ticket desk') as owner,
        case when running.overdue = 0 then 'minor' when running.times_target >= 2 then 'critical' else 'major' end as severity,
        true as is_worse,
        running.overdue as numerator,
        running.open_or_soon as denominator,
        running.overdue / nullif(running.open_or_soon, 0) as value,
        0.0 as reference,
        cast(null as double) as errors_from_reference,
        0 as signal_days,
        cast(null as double) as change_since_baseline,
        cast(null as double) as channel_mix_effect,
        cast(null as double) as product_mix_effect,
        cast(null as double) as unit_mix_effect,
        top_children.top_part as top_unit_id,
        top_children.top_share as top_unit_share,
        cast(null as varchar) as top_channel,
        cast(null as double) as top_channel_share,
        cast(null as varchar) as top_product_line,
        cast(null as double) as top_product_share,
        cast(null as double) as expected_false_alarms_that_month,
        cast(null as varchar) as operational_event_id,
        0 as operational_events,
        {{ seconds_between('running.oldest_due_at', 'running.as_of_at') }} as overdue_seconds,
        running.stale_promises,
        running.as_of_at,
        coalesce({{ local_day('running.oldest_due_at', 'units.time_zone') }}, {{ local_day('running.as_of_at', 'units.time_zone') }}) as first_day,
        {{ local_day('running.as_of_at', 'units.time_zone') }} as last_day
    from running
    left join top_children
        on running.unit_level = top_children.unit_level and running.org_unit_id is not distinct from top_children.org_unit_id and running.sla_metric = top_children.sla_metric
    left join {{ ref('dim_org_units') }} as units on running.org_unit_id = units.org_unit_id
    left join {{ ref('control_charts') }} as charts on concat('sla_attainment_', running.sla_metric) = charts.metric
),

final as (
    select * from from_charts
    union all
    select * from from_promises
)

-- Rounded: the order in which doubles are added up is not always the same, and two runs must not differ.
select
    alert_id,
    stage,
    chart_id,
    metric,
    unit_level,
    org_unit_id,
    part,
    owner,
    severity,
    is_worse,
    cast(numerator as bigint) as numerator,
    cast(denominator as bigint) as denominator,
    value,
    round(reference, 9) as reference,
    round(errors_from_reference, 9) as errors_from_reference,
    cast(signal_days as integer) as signal_days,
    round(change_since_baseline, 9) as change_since_baseline,
    round(channel_mix_effect, 9) as channel_mix_effect,
    round(product_mix_effect, 9) as product_mix_effect,
    round(unit_mix_effect, 9) as unit_mix_effect,
    top_unit_id,
    round(top_unit_share, 9) as top_unit_share,
    top_channel,
    round(top_channel_share, 9) as top_channel_share,
    top_product_line,
    round(top_product_share, 9) as top_product_share,
    round(expected_false_alarms_that_month, 9) as expected_false_alarms_that_month,
    operational_event_id,
    cast(operational_events as integer) as operational_events,
    overdue_seconds,
    stale_promises,
    as_of_at,
    first_day,
    last_day
from final
