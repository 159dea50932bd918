-- Months that matter to the tiers: those that are evaluated, and those before them that a window reaches back to. The last is the last month that is over
-- by the newest transaction. A month without any charge, order or return is one that was not delivered: nobody is graded by it.
with as_of as (
    select max({{ local_day('transactions.occurred_at', 'null') }}) as day
    from {{ ref('int_transactions') }} as transactions
    where transactions._status = 'used' and transactions.occurred_at is not null
),

known as (
    select
        money.month_number,
        sum(money.charge_count + money.return_count) as movements,
        sum(money.billed_amount) as billed_amount,
        sum(money.cost_known_amount) as cost_known_amount
    from {{ ref('int_customer_money_months') }} as money
    group by money.month_number
),

-- The day after the last known one lies in the month that is not over.
bounds as (
    select
        {{ month_number("as_of.day + 1") }} - 1 as last_month,
        (select min(case when known.movements > 0 then known.month_number end) from known) as first_month,
        (select max(schemes.window_months) from {{ ref('tier_schemes') }} as schemes) as reach
    from as_of
    where as_of.day is not null
),

months as (
    select
        {{ each_number(
            'greatest(least(coalesce(bounds.first_month, bounds.last_month), bounds.last_month), bounds.last_month - cast(' ~ threshold('tier_history_months') ~ ' as integer) - bounds.reach + 2)',
            'bounds.last_month',
        ) }} as month_number,
        bounds.last_month
    from bounds
)

select
    cast(row_number() over (order by months.month_number) as integer) as position,
    months.month_number,
    {{ month_from_number('months.month_number') }} as month,
    {{ month_from_number('months.month_number + 1') }} as valid_from,
    coalesce(known.movements, 0) > 0 as has_data,
    months.month_number > months.last_month - {{ threshold('tier_history_months') }} as is_graded,
    coalesce(known.billed_amount, 0) as billed_amount,
    coalesce(known.cost_known_amount, 0) as cost_known_amount
from months
left join known on months.month_number = known.month_number
