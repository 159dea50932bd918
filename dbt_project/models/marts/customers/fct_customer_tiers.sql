{{ config(materialized='view') }}

with months as (
    select * from {{ ref('int_tier_months') }}
),

schemes as (
    select * from {{ ref('tier_schemes') }}
),

data_months as (
    select distinct
        lines.scheme,
        lines.position,
        lines.data_months
    from {{ ref('int_tier_lines') }} as lines
)

select
    customers.customer_key,
    customers.customer_kind,
    customers.org_unit_id,
    changes.scheme,
    grades.is_default as is_default_scheme,
    grades.grade,
    changes.grade_rank,
    previous.grade as previous_grade,
    changes.previous_rank as previous_grade_rank,
    case when changes.previous_rank is null then 'entered' when changes.grade_rank < changes.previous_rank then 'up' else 'down' end as tier_move,
    case
        when changes.previous_rank is null then 'entered'
        when changes.grade_rank < changes.previous_rank then 'reached_line'
        when changes.cents < 0 then 'loss'
        when changes.cents = 0 then 'no_turnover'
        when changes.was_held = 2 then 'stay_over'
        else 'below_line'
    end as tier_reason,
    grades.basis,
    grades.window_months,
    data_months.data_months,
    {{ from_cents('changes.cents') }} as value_amount,
    {{ from_cents('changes.previous_cents') }} as previous_value_amount,
    {{ from_cents('changes.line_cents') }} as line_amount,
    grades.basis = 'revenue' and changes.cents < 0 as is_refund_above_charges,
    ended.position is null as is_current,
    case when ended.position is null then case changes.is_held when 1 then 'hysteresis' when 2 then 'minimum_stay' end end as held_by,
    months.month as evaluated_month,
    months.valid_from,
    ended.valid_from as valid_to
from {{ ref('int_customer_tier_changes') }} as changes
inner join {{ ref('int_customer_numbers') }} as customers on changes.customer_number = customers.customer_number
inner join months on changes.position = months.position
inner join schemes as grades on changes.scheme = grades.scheme and changes.grade_rank = grades.grade_rank
inner join data_months on changes.scheme = data_months.scheme and changes.position = data_months.position
left join schemes as previous on changes.scheme = previous.scheme and changes.previous_rank = previous.grade_rank
left join months as ended on changes.until_position = ended.position
