-- Who joined in a month, and how many of them are customers at the end of that and of each later month. Cohorts from before the first day from which ends are known are left
-- out: of them only those are known who stayed. A month that the data do not decide yet has a row without numbers: the right-hand side of the triangle is censored, not empty.
with customers as (
    select
        months.source,
        {{ month_start_of('months.joined_on') }} as cohort_on,
        coalesce(units.province_id, months.org_unit_id) as org_unit_id,
        months.customer_kind,
        months.month_start,
        months.is_joined,
        cast(months.is_at_end as integer) - cast(months.is_at_start as integer) as net,
        months.fee_at_end - months.fee_at_start as net_fee,
        case when months.is_joined and months.is_at_end then months.fee_at_end else 0 end as joined_fee,
        months.is_lost or months.is_passing as is_left,
        months.is_reactivated
    from {{ ref('fct_customer_months') }} as months
    left join {{ ref('dim_org_units') }} as units on months.org_unit_id = units.org_unit_id
    where months.is_observed
),

horizons as (
    select
        stretches.source,
        min({{ month_start_of('stretches.observed_from') }}) as first_month,
        max(stretches.known_until) as known_until
    from {{ ref('ftr_line_stretches') }} as stretches
    group by stretches.source
),

changes as (
    select
        customers.source,
        customers.cohort_on,
        customers.org_unit_id,
        customers.customer_kind,
        customers.month_start,
        count(*) filter (where customers.is_joined) as joined,
        sum(customers.joined_fee) as joined_fee,
        sum(customers.net) as net,
        sum(customers.net_fee) as net_fee,
        count(*) filter (where customers.is_left) as departed,
        count(*) filter (where customers.is_reactivated) as returned
    from customers
    inner join horizons on customers.source = horizons.source and customers.cohort_on >= horizons.first_month
    group by customers.source, customers.cohort_on, customers.org_unit_id, customers.customer_kind, customers.month_start
),

-- Every age that the oldest cohort has reached is a column of the triangle, for every cohort.
groups as (
    select
        changes.source,
        changes.cohort_on,
        changes.org_unit_id,
        changes.customer_kind,
        sum(changes.joined) as joined,
        sum(changes.joined_fee) as joined_fee
    from changes
    group by changes.source, changes.cohort_on, changes.org_unit_id, changes.customer_kind
),

skeleton as (
    select
        groups.*,
        {{ each_month('groups.cohort_on', months_before(month_start_of('horizons.known_until'), months_between('groups.cohort_on', 'horizons.first_month'))) }} as month_start
    from groups
    inner join horizons on groups.source = horizons.source
),

together as (
    select
        skeleton.source,
        skeleton.cohort_on,
        skeleton.org_unit_id,
        skeleton.customer_kind,
        skeleton.joined,
        skeleton.joined_fee,
        skeleton.month_start,
        cast({{ months_between('skeleton.cohort_on', 'skeleton.month_start') }} as integer) as age_months,
        coalesce(changes.net, 0) as net,
        coalesce(changes.net_fee, 0) as net_fee
    from skeleton
    left join changes
        on
            skeleton.source = changes.source
            and skeleton.cohort_on = changes.cohort_on
            and skeleton.org_unit_id is not distinct from changes.org_unit_id
            and skeleton.customer_kind = changes.customer_kind
            and skeleton.month_start = changes.month_start
),

stocked as (
    select
        together.*,
        sum(together.net) over so_far as active,
        sum(together.net_fee) over so_far as active_fee
    from together
    window so_far as (
        partition by together.source, together.cohort_on, together.org_unit_id, together.customer_kind order by together.month_start
        rows between unbounded preceding and current row
    )
),

judged as (
    select
        stocked.*,
        {{ last_day_of_month('stocked.month_start') }} + cast({{ threshold('churn_gap_days') }} as integer) + 1 <= horizons.known_until as is_complete
    from stocked
    inner join horizons on stocked.source = horizons.source
)

select
    judged.source,
    judged.cohort_on,
    judged.age_months,
    judged.org_unit_id,
    judged.customer_kind,
    judged.month_start,
    judged.is_complete,
    cast(judged.joined as bigint) as joined,
    cast(judged.joined_fee as decimal(18, 2)) as joined_fee,
    cast(case when judged.is_complete then judged.active end as bigint) as active,
    cast(case when judged.is_complete then judged.active_fee end as decimal(18, 2)) as active_fee
from judged
