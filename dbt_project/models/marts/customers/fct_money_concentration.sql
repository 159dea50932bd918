-- Populations of the schemes: equal basis, window and kinds of customer stand here once. Where somebody's balance is negative there is no Gini coefficient:
-- the curve of the best first rises above the whole and comes down again (whale curve).
with defaults as (
    select
        lines.population,
        max(case when schemes.is_default then 1 else 0 end) = 1 as is_default_scheme
    from {{ ref('int_tier_lines') }} as lines
    inner join {{ ref('tier_schemes') }} as schemes on lines.scheme = schemes.scheme and lines.grade_rank = schemes.grade_rank
    group by lines.population
),

delivered as (
    select
        lines.population,
        lines.position,
        max(case when lines.evaluation_state = 'evaluated' then 1 else 0 end) = 1 as is_evaluated
    from {{ ref('int_tier_lines') }} as lines
    group by lines.population, lines.position
)

select
    found.basis,
    found.window_months,
    found.customer_kinds,
    defaults.is_default_scheme,
    found.customers,
    found.paying_customers,
    found.losing_customers,
    {{ from_cents('found.cents') }} as value_amount,
    {{ from_cents('found.positive_cents') }} as positive_amount,
    case when found.losing_customers = 0 and found.cents > 0 then found.inequality end as gini,
    case when found.losing_customers > 0 then 'negative' when found.cents <= 0 then 'no_money' else 'known' end as gini_state,
    case when found.cents > 0 then found.money_share_20 end as top_20_share,
    case when found.cents > 0 then found.money_share_20 >= 0.8 end as is_80_20,
    case when found.cents > 0 then round(cast(found.positive_cents as double) / found.cents, 9) end as whale_peak,
    case when found.losing_customers = 0 and found.cents > 0 then found.inequality * found.cents / 100.0 end as gini_numerator,
    case when found.losing_customers = 0 and found.cents > 0 then found.cents / 100.0 end as gini_base,
    case when found.cents > 0 then found.money_share_20 * found.cents / 100.0 end as top_20_amount,
    case when found.cents > 0 then found.cents / 100.0 end as top_20_base,
    months.month as evaluated_month,
    months.valid_from - 1 as evaluated_on
from {{ ref('int_money_concentration') }} as found
inner join {{ ref('int_tier_months') }} as months on found.position = months.position
inner join delivered on found.population = delivered.population and found.position = delivered.position and delivered.is_evaluated
inner join defaults on found.population = defaults.population
