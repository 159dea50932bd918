-- What a callback adds: the gain of one group less that of the other, customers with equal first answers compared with each other. Who is unhappy once is
-- less so the next time without a call; the control has that too, so it falls out.
with comparisons as (
    select unnest(['by_lot', 'by_contact']) as comparison
),

cases as (
    select
        loop.survey_id,
        loop.unhappy_kind,
        loop.first_score,
        loop.gain,
        comparisons.comparison,
        case
            when comparisons.comparison = 'by_lot' then case loop.assignment when 'called' then 'treated' when 'held_out' then 'control' end
            when loop.is_contacted then 'treated'
            when not loop.is_contacted and coalesce(loop.contacted_at >= loop.second_responded_at, true) then 'control'
        end as arm
    from {{ ref('fct_closed_loop') }} as loop
    cross join comparisons
    where loop.gain is not null
),

strata as (
    select
        cases.comparison,
        cases.survey_id,
        cases.unhappy_kind,
        cases.first_score,
        count(*) filter (where cases.arm = 'treated') as treated,
        count(*) filter (where cases.arm = 'control') as control,
        sum(cases.gain) filter (where cases.arm = 'treated') as treated_gain_sum,
        avg(cases.gain) filter (where cases.arm = 'treated') as treated_gain,
        avg(cases.gain) filter (where cases.arm = 'control') as control_gain,
        var_samp(cases.gain) filter (where cases.arm = 'treated') as treated_variance,
        var_samp(cases.gain) filter (where cases.arm = 'control') as control_variance
    from cases
    where cases.arm is not null
    group by cases.comparison, cases.survey_id, cases.unhappy_kind, cases.first_score
),

-- A stratum can be compared when both groups have two customers in it: with one there is no spread to judge by.
totals as (
    select
        strata.comparison,
        strata.survey_id,
        strata.unhappy_kind,
        sum(strata.treated) as treated,
        sum(strata.control) as control,
        sum(strata.treated) filter (where strata.treated >= 2 and strata.control >= 2) as matched_treated,
        sum(strata.control) filter (where strata.treated >= 2 and strata.control >= 2) as matched_control,
        sum(strata.treated_gain_sum) / nullif(sum(strata.treated), 0) as gain_before_after,
        sum(strata.treated * strata.treated_gain) filter (where strata.treated >= 2 and strata.control >= 2) as treated_part,
        sum(strata.treated * strata.control_gain) filter (where strata.treated >= 2 and strata.control >= 2) as control_part,
        sum(strata.treated * strata.treated * (strata.treated_variance / strata.treated + strata.control_variance / strata.control))
            filter (where strata.treated >= 2 and strata.control >= 2) as variance_part
    from strata
    group by strata.comparison, strata.survey_id, strata.unhappy_kind
),

estimates as (
    select
        totals.comparison,
        totals.survey_id,
        totals.unhappy_kind,
        totals.treated,
        totals.control,
        coalesce(totals.matched_treated, 0) as matched_treated,
        coalesce(totals.matched_control, 0) as matched_control,
        totals.gain_before_after,
        totals.treated_part / nullif(totals.matched_treated, 0) as gain_treated,
        totals.control_part / nullif(totals.matched_treated, 0) as gain_control,
        sqrt(totals.variance_part) / nullif(totals.matched_treated, 0) as standard_error
    from totals
)

select
    estimates.comparison,
    estimates.survey_id,
    estimates.unhappy_kind,
    estimates.comparison = 'by_lot' as is_assigned_by_lot,
    cast(estimates.treated as integer) as treated,
    cast(estimates.control as integer) as control,
    cast(estimates.matched_treated as integer) as matched_treated,
    cast(estimates.matched_control as integer) as matched_control,
    round(estimates.gain_before_after, 9) as gain_before_after,
    round(estimates.gain_treated, 9) as gain_treated,
    round(estimates.gain_control, 9) as gain_control,
    round(estimates.gain_treated - estimates.gain_control, 9) as net_gain,
    round(estimates.gain_treated - estimates.gain_control - 1.959964 * estimates.standard_error, 9) as net_gain_low,
    round(estimates.gain_treated - estimates.gain_control + 1.959964 * estimates.standard_error, 9) as net_gain_high,
    least(estimates.matched_treated, estimates.matched_control) < {{ threshold('loop_minimum_base') }} as is_small_base,
    case
        when estimates.treated = 0 then 'nobody_treated'
        when estimates.control = 0 then 'no_control'
        when estimates.matched_treated = 0 then 'no_common_first_score'
    end as reason
from estimates
