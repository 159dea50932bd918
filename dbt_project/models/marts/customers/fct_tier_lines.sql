select
    lines.scheme,
    lines.grade,
    lines.grade_rank,
    schemes.basis,
    schemes.window_months,
    schemes.cut_kind,
    cast(schemes.cut as double) as cut,
    lines.evaluation_state,
    lines.data_months,
    cast(lines.cost_known_share as double) as cost_known_share,
    lines.customers,
    case when lines.evaluation_state = 'evaluated' then {{ from_cents('lines.enter_cents') }} end as enter_amount,
    case when lines.evaluation_state = 'evaluated' then {{ from_cents('lines.keep_cents') }} end as keep_amount,
    lines.month as evaluated_month,
    lines.valid_from
from {{ ref('int_tier_lines') }} as lines
inner join {{ ref('tier_schemes') }} as schemes on lines.scheme = schemes.scheme and lines.grade_rank = schemes.grade_rank
