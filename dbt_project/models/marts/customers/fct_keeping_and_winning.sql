-- "Keeping a customer costs a fifth of winning one", on the user's own money: what one customer more cost who was kept (or won back), beside what was spent for each
-- new one in the months of which seeds/acquisition_costs.csv tells it. Where nobody says what winning costs, the answer is unknown.
with until_day as (
    select {{ contracts_known_until() }} as until
),

firsts as (
    select
        cast(date_trunc('month', lifetimes.started_on) as date) as start_month,
        count(*) as new_customers
    from {{ ref('int_customer_lifetimes') }} as lifetimes
    cross join until_day
    where lifetimes.lifetime_number = 1 and lifetimes.started_on <= until_day.until
    group by cast(date_trunc('month', lifetimes.started_on) as date)
),

spent as (
    select
        cast(date_trunc('month', costs.cost_month) as date) as cost_month,
        sum(costs.amount) as amount
    from {{ ref('acquisition_costs') }} as costs
    where costs.currency = {{ main_currency() }}
    group by cast(date_trunc('month', costs.cost_month) as date)
),

monthly as (
    select
        cast(year(spent.cost_month) as varchar) as period,
        spent.amount,
        coalesce(firsts.new_customers, 0) as new_customers
    from spent
    left join firsts on spent.cost_month = firsts.start_month
    union all
    select
        'all' as period,
        spent.amount,
        coalesce(firsts.new_customers, 0) as new_customers
    from spent
    left join firsts on spent.cost_month = firsts.start_month
),

winning as (
    select
        m.period,
        count(*) as cost_months,
        sum(m.amount) as winning_cost,
        sum(m.new_customers) as new_customers,
        cast(sum(m.amount) as double) / nullif(sum(m.new_customers), 0) as cost_per_new
    from monthly as m
    group by m.period
),

keeping as (
    select
        effects.*,
        case effects.class_kind when 'all' then 'all' else effects.customer_class end as period
    from {{ ref('fct_retention_effects') }} as effects
    where effects.horizon = 'long' and effects.campaign_id = 'all' and effects.class_kind in ('all', 'year')
),

-- Everybody who was a customer on a day of the period.
periods as (
    select distinct
        k.period,
        case k.period when 'all' then date '0001-01-01' else make_date(cast(k.period as integer), 1, 1) end as first_on,
        case k.period when 'all' then date '9999-12-31' else make_date(cast(k.period as integer), 12, 31) end as last_on
    from keeping as k
),

served as (
    select
        periods.period,
        count(distinct lifetimes.customer_key) as customers
    from periods
    cross join until_day
    inner join {{ ref('int_customer_lifetimes') }} as lifetimes
        on lifetimes.started_on <= least(periods.last_on, until_day.until) and (lifetimes.ended_on is null or periods.first_on <= lifetimes.ended_on)
    group by periods.period
),

compared as (
    select
        keeping.*,
        winning.cost_months,
        winning.winning_cost,
        winning.new_customers,
        winning.cost_per_new,
        served.customers,
        keeping.cost_per_save / winning.cost_per_new as ratio,
        keeping.cost_per_save_low / winning.cost_per_new as ratio_low,
        keeping.cost_per_save_high / winning.cost_per_new as ratio_high
    from keeping
    left join winning on keeping.period = winning.period
    left join served on keeping.period = served.period
)

select
    compared.period,
    compared.action_kind,
    compared.goal,
    cast(coalesce(compared.customers, 0) as integer) as customers,
    compared.treated,
    compared.cost_amount as keeping_cost,
    round(cast(compared.cost_amount as double) / nullif(compared.customers, 0), 9) as cost_per_customer,
    compared.uplift,
    compared.uplift_low,
    compared.uplift_high,
    compared.cost_per_save,
    compared.cost_per_save_low,
    compared.cost_per_save_high,
    cast(coalesce(compared.cost_months, 0) as integer) as cost_months,
    cast(compared.winning_cost as decimal(18, 2)) as winning_cost,
    cast(compared.new_customers as integer) as new_customers,
    round(compared.cost_per_new, 9) as cost_per_new,
    round(compared.ratio, 9) as keeping_to_winning,
    round(compared.ratio_low, 9) as keeping_to_winning_low,
    round(compared.ratio_high, 9) as keeping_to_winning_high,
    case
        when compared.cost_per_new is null or compared.uplift_high is null then 'unknown'
        when compared.uplift_high <= 0 or compared.ratio_low > 0.2 then 'does_not_hold'
        when compared.ratio_high <= 0.2 then 'holds'
        else 'undecided'
    end as a_fifth,
    case
        when compared.cost_months is null then 'no_acquisition_cost'
        when compared.cost_per_new is null then 'nobody_new'
        else compared.reason
    end as reason,
    compared.is_small_base,
    compared.is_final,
    compared.first_offered_on
from compared
