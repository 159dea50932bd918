-- How long customers stay on a rung: a life table in whole quarters. Stays on a rung whose beginning is not known are left out; those that still last are censored at the last
-- complete quarter.
with complete as (
    select
        loyalty.*,
        max(loyalty.quarter_number) over () as last_quarter
    from {{ ref('fct_customer_loyalty') }} as loyalty
    where loyalty.is_complete
),

ended as (
    select
        complete.rung_before as rung,
        complete.quarters_on_rung_before as quarters,
        complete.rung as next_rung,
        count(*) as stays
    from complete
    where complete.rung_before not in ('unknown', 'left') and complete.rung <> complete.rung_before and complete.quarters_on_rung_before is not null
    group by complete.rung_before, complete.quarters_on_rung_before, complete.rung
),

lasting as (
    select
        complete.rung,
        complete.quarters_on_rung as quarters,
        count(*) as stays
    from complete
    where complete.quarter_number = complete.last_quarter and complete.quarters_on_rung is not null and complete.rung <> 'left'
    group by complete.rung, complete.quarters_on_rung
),

rungs as (
    {%- for rung in ['left', 'potential', 'new', 'satisfied', 'retained', 'loyal'] %}
    select
        '{{ rung }}' as rung,
        {{ loop.index }} as height
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

counted as (
    select
        ended.rung,
        ended.quarters,
        sum(ended.stays) as moved,
        sum(ended.stays) filter (where nexts.height > rungs.height) as moved_up,
        sum(ended.stays) filter (where nexts.rung = 'left') as moved_out,
        0 as censored
    from ended
    inner join rungs on ended.rung = rungs.rung
    inner join rungs as nexts on ended.next_rung = nexts.rung
    group by ended.rung, ended.quarters
    union all
    select
        lasting.rung,
        lasting.quarters,
        0 as moved,
        0 as moved_up,
        0 as moved_out,
        lasting.stays as censored
    from lasting
),

ages as (
    select
        counted.rung,
        counted.quarters,
        sum(counted.moved) as moved,
        sum(coalesce(counted.moved_up, 0)) as moved_up,
        sum(coalesce(counted.moved_out, 0)) as moved_out,
        sum(counted.censored) as censored
    from counted
    group by counted.rung, counted.quarters
),

-- A stay that is censored after so many quarters was not seen in the next one: it is not at risk there.
at_risk as (
    select
        ages.*,
        sum(ages.moved + ages.censored) over (partition by ages.rung order by ages.quarters rows between current row and unbounded following) - ages.censored as at_risk
    from ages
),

survival as (
    select
        at_risk.*,
        sum(
            case
                when at_risk.moved = 0 then 0
                when at_risk.moved = at_risk.at_risk then -1e9
                else ln(1 - at_risk.moved / cast(at_risk.at_risk as double))
            end
        ) over so_far as log_survival,
        sum(at_risk.moved / nullif(cast(at_risk.at_risk as double) * (at_risk.at_risk - at_risk.moved), 0)) over so_far as greenwood
    from at_risk
    where at_risk.at_risk > 0
    window so_far as (partition by at_risk.rung order by at_risk.quarters rows between unbounded preceding and current row)
),

estimated as (
    select
        survival.*,
        exp(survival.log_survival) as still_there,
        sqrt(survival.greenwood) / nullif(survival.log_survival, 0) as log_log_error
    from survival
),

final as (
    select
        estimated.*,
        min(case when estimated.still_there <= 0.5 then estimated.quarters end) over (partition by estimated.rung) as median_quarters
    from estimated
)

select
    final.rung,
    cast(final.quarters as integer) as quarters,
    cast(final.at_risk as bigint) as at_risk,
    cast(final.moved as bigint) as moved,
    cast(final.moved_up as bigint) as moved_up,
    cast(final.moved_out as bigint) as moved_out,
    cast(final.censored as bigint) as censored,
    round(final.still_there, 9) as still_there,
    case when final.still_there between 1e-9 and 1 - 1e-9 then round(power(final.still_there, exp(-1.959964 * final.log_log_error)), 9) end as still_there_low,
    case when final.still_there between 1e-9 and 1 - 1e-9 then round(power(final.still_there, exp(1.959964 * final.log_log_error)), 9) end as still_there_high,
    cast(final.median_quarters as integer) as median_quarters,
    final.at_risk < {{ threshold('warning_minimum_base') }} as is_small_base
from final
