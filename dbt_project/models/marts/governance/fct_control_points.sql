{{ config(materialized='view') }}

select
    points.chart_id,
    points.metric,
    points.chart_kind,
    points.unit_level,
    points.org_unit_id,
    points.parent_unit_id,
    points.part,
    points.direction,
    points.owner,
    points.numerator,
    points.denominator,
    points.minimum_base,
    case when points.chart_kind = 'g' then scored.value else coalesce(scored.value, points.numerator / nullif(points.denominator, 0)) end as value,
    scored.centre,
    scored.sigma,
    scored.lower,
    scored.upper,
    scored.score,
    scored.tail_chance,
    scored.run_chance,
    scored.signal_chance,
    coalesce(scored.expected_false_alarms, 0) as expected_false_alarms,
    scored.rules,
    case when scored.side > 0 then 'above' when scored.side < 0 then 'below' when scored.is_judged then 'centre' end as side,
    points.is_final,
    coalesce(scored.is_baseline, false) as is_baseline,
    coalesce(scored.is_judged, false) as is_judged,
    case when not points.is_charted then 'not_charted' else scored.not_judged_reason end as not_judged_reason,
    coalesce(scored.is_point_signal, false) as is_point_signal,
    coalesce(scored.is_run_signal, false) as is_run_signal,
    coalesce(scored.is_point_signal or scored.is_run_signal, false) as is_signal,
    coalesce(
        (scored.is_point_signal or scored.is_run_signal)
        and ((points.direction = 'down' and scored.side > 0) or (points.direction = 'up' and scored.side < 0)), false
    ) as is_worse,
    scored.model_version,
    points.as_of,
    points.day as counted_on
from {{ ref('ftr_control_points') }} as points
left join {{ ref('score_control_points') }} as scored on points.chart_id = scored.chart_id and points.day = scored.day
