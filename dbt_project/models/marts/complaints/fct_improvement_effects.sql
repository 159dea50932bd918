select
    effects.source,
    effects.improvement_action_id,
    effects.method,
    actions.action_kind,
    actions.org_unit_id,
    effects.verdict,
    effects.rate_ratio,
    effects.ratio_low,
    effects.ratio_high,
    effects.detectable_ratio,
    effects.months_needed,
    {%- for column in [
        'complaints_before', 'complaints_after', 'others_before', 'others_after', 'periods_before', 'periods_after', 'units_in_scope', 'units_outside', 'units_left_out',
    ] %}
    cast(effects.{{ column }} as integer) as {{ column }},
    {%- endfor %}
    effects.dispersion,
    {%- for column in ['placebo_dates', 'placebo_dates_significant', 'placebo_causes', 'placebo_causes_significant', 'placebo_units'] %}
    cast(effects.{{ column }} as integer) as {{ column }},
    {%- endfor %}
    effects.placebo_units_share,
    effects.reason,
    effects.base,
    effects.is_start_in_before,
    effects.is_final,
    effects.before_from,
    effects.before_until,
    effects.after_from,
    effects.after_until,
    actions.started_on,
    effects.model_version,
    effects.as_of
from {{ ref('score_improvement_effects') }} as effects
inner join {{ ref('int_improvement_actions') }} as actions
    on effects.source = actions.source and effects.improvement_action_id = actions.improvement_action_id and actions._status = 'used'
