-- What a month begins with is the running total of all that came and went before, so no customer is looked at twice. Customers as a whole stand under the product line
-- `all`; each product line has its own rows, in which a customer of three lines is counted three times.
with changes as (
    select
        months.source,
        months.org_unit_id,
        months.customer_kind,
        'all' as product_line,
        months.month_start,
        count(*) filter (where months.is_at_end) - count(*) filter (where months.is_at_start) as net_customers,
        sum(months.fee_at_end - months.fee_at_start) as net_fee,
        count(*) filter (where months.is_joined) as joined,
        count(*) filter (where months.is_reactivated) as reactivated,
        count(*) filter (where months.is_lost) as lost,
        count(*) filter (where months.is_passing) as passing,
        sum(months.lost_fee) as lost_fee,
        sum(months.contraction_fee) as contraction_fee,
        sum(months.expansion_fee) as expansion_fee,
        sum(months.new_fee) as new_fee,
        sum(months.reactivated_fee) as reactivated_fee
    from {{ ref('fct_customer_months') }} as months
    group by months.source, months.org_unit_id, months.customer_kind, months.month_start
),

lines as (
    select
        stretches.*,
        {{ month_start_of('stretches.began_on') }} as began_month,
        case when stretches.left_on < date '9999-12-31' then {{ month_start_of('stretches.left_on') }} end as left_month
    from {{ ref('ftr_line_stretches') }} as stretches
),

line_changes as (
    select
        lines.source,
        lines.org_unit_id,
        lines.customer_kind,
        lines.product_line,
        lines.began_month as month_start,
        count(*) as net_customers,
        count(*) filter (where lines.stretch_number = 1) as joined,
        count(*) filter (where lines.stretch_number > 1) as reactivated,
        0 as lost,
        count(*) filter (where lines.began_month = lines.left_month) as passing
    from lines
    group by lines.source, lines.org_unit_id, lines.customer_kind, lines.product_line, lines.began_month
    union all
    select
        lines.source,
        lines.org_unit_id,
        lines.customer_kind,
        lines.product_line,
        lines.left_month as month_start,
        -count(*) as net_customers,
        0 as joined,
        0 as reactivated,
        count(*) filter (where lines.began_month < lines.left_month) as lost,
        0 as passing
    from lines
    where lines.left_month is not null
    group by lines.source, lines.org_unit_id, lines.customer_kind, lines.product_line, lines.left_month
),

horizons as (
    select
        lines.source,
        min({{ month_start_of('lines.observed_from') }}) as first_month,
        max(lines.known_until) as known_until
    from lines
    group by lines.source
),

-- Every group has a row in every month, also where nothing happened.
groups as (
    select distinct
        changes.source,
        changes.org_unit_id,
        changes.customer_kind,
        changes.product_line
    from changes
    union
    select
        line_changes.source,
        line_changes.org_unit_id,
        line_changes.customer_kind,
        line_changes.product_line
    from line_changes
),

skeleton as (
    select
        groups.*,
        {{ each_month('horizons.first_month', 'horizons.known_until') }} as month_start
    from groups
    inner join horizons on groups.source = horizons.source
),

together as (
    select * from changes
    union all by name
    select * from line_changes
    union all by name
    select * from skeleton
),

{% set sums = ['net_customers', 'net_fee', 'joined', 'reactivated', 'lost', 'passing', 'lost_fee', 'contraction_fee', 'expansion_fee', 'new_fee', 'reactivated_fee'] %}
monthly as (
    select
        together.source,
        together.org_unit_id,
        together.customer_kind,
        together.product_line,
        together.month_start,
        {%- for sum in sums %}
        coalesce(sum(together.{{ sum }}), 0) as {{ sum }}{{ ',' if not loop.last }}
        {%- endfor %}
    from together
    group by together.source, together.org_unit_id, together.customer_kind, together.product_line, together.month_start
),

stocked as (
    select
        monthly.*,
        coalesce(sum(monthly.net_customers) over before, 0) as at_start,
        coalesce(sum(monthly.net_fee) over before, 0) as fee_at_start
    from monthly
    window before as (
        partition by monthly.source, monthly.org_unit_id, monthly.customer_kind, monthly.product_line order by monthly.month_start
        rows between unbounded preceding and 1 preceding
    )
),

-- A source that bills and has not one movement in a month has not been delivered: that nobody left in it is not known.
moved as (
    select
        transactions.source,
        {{ month_start_of('transactions.occurred_at') }} as month_start,
        count(*) as movements
    from {{ ref('int_transactions') }} as transactions
    where transactions._status = 'used' and transactions.occurred_at is not null
    group by transactions.source, {{ month_start_of('transactions.occurred_at') }}
),

billing as (
    select distinct moved.source
    from moved
)

select
    stocked.source,
    stocked.org_unit_id,
    stocked.customer_kind,
    stocked.product_line,
    stocked.month_start,
    stocked.product_line = 'all' as is_whole_customer,
    {{ last_day_of_month('stocked.month_start') }} + cast({{ threshold('churn_gap_days') }} as integer) + 1 <= horizons.known_until as is_final,
    billing.source is null or moved.movements is not null as has_data,
    cast(stocked.at_start as bigint) as at_start,
    cast(stocked.joined as bigint) as joined,
    cast(stocked.reactivated as bigint) as reactivated,
    cast(stocked.lost as bigint) as lost,
    cast(stocked.passing as bigint) as passing,
    cast(stocked.at_start + stocked.net_customers as bigint) as at_end,
    cast(stocked.fee_at_start as decimal(18, 2)) as fee_at_start,
    cast(stocked.lost_fee as decimal(18, 2)) as lost_fee,
    cast(stocked.contraction_fee as decimal(18, 2)) as contraction_fee,
    cast(stocked.expansion_fee as decimal(18, 2)) as expansion_fee,
    cast(stocked.new_fee as decimal(18, 2)) as new_fee,
    cast(stocked.reactivated_fee as decimal(18, 2)) as reactivated_fee,
    cast(stocked.fee_at_start + stocked.net_fee as decimal(18, 2)) as fee_at_end
from stocked
inner join horizons on stocked.source = horizons.source and stocked.month_start >= horizons.first_month
left join moved on stocked.source = moved.source and stocked.month_start = moved.month_start
left join billing on stocked.source = billing.source
