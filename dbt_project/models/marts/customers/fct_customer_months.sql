-- Only months in which something changed have a row: between two of them the customer stays as the earlier one left him. What a month begins with is the running
-- total of all that came before, so a customer costs a row or two a contract, not one a month.
with stretches as (
    select
        spells.holder_key,
        spells.holder_began_on as began_on,
        max(spells.last_on) as left_on
    from {{ ref('ftr_contract_spells') }} as spells
    group by spells.holder_key, spells.holder_began_on
),

holders as (
    select
        spells.holder_key,
        any_value(spells.customer_key) as customer_key,
        any_value(spells.customer_kind) as customer_kind,
        min(spells.org_unit_id) as org_unit_id,
        case when min(spells.source) = max(spells.source) then min(spells.source) else 'several' end as source,
        min(spells.started_on) as joined_on,
        max(spells.known_until) as known_until,
        min(spells.observed_from) as observed_from
    from {{ ref('ftr_contract_spells') }} as spells
    group by spells.holder_key
),

changes as (
    select
        spells.holder_key,
        {{ month_start_of('spells.started_on') }} as month_start,
        1 as contracts,
        spells.monthly_fee,
        0 as came,
        0 as went
    from {{ ref('ftr_contract_spells') }} as spells
    union all
    select
        spells.holder_key,
        {{ month_start_of('spells.counted_until') }} as month_start,
        -1 as contracts,
        -spells.monthly_fee as monthly_fee,
        0 as came,
        0 as went
    from {{ ref('ftr_contract_spells') }} as spells
    where spells.counted_until < date '9999-12-31'
    union all
    select
        stretches.holder_key,
        {{ month_start_of('stretches.began_on') }} as month_start,
        0 as contracts,
        0 as monthly_fee,
        1 as came,
        0 as went
    from stretches
    union all
    select
        stretches.holder_key,
        {{ month_start_of('stretches.left_on') }} as month_start,
        0 as contracts,
        0 as monthly_fee,
        0 as came,
        1 as went
    from stretches
    where stretches.left_on < date '9999-12-31'
),

monthly as (
    select
        changes.holder_key,
        changes.month_start,
        sum(changes.contracts) as contracts,
        sum(changes.monthly_fee) as monthly_fee,
        sum(changes.came) as came,
        sum(changes.went) as went
    from changes
    group by changes.holder_key, changes.month_start
),

stocked as (
    select
        monthly.holder_key,
        monthly.month_start,
        monthly.came,
        monthly.contracts,
        monthly.monthly_fee,
        sum(monthly.contracts) over so_far as contracts_at_end,
        sum(monthly.monthly_fee) over so_far as fee_at_end,
        sum(monthly.came - monthly.went) over so_far as is_at_end,
        sum(monthly.came - monthly.went) over so_far - monthly.came + monthly.went as is_at_start,
        sum(monthly.came) over so_far - monthly.came as came_before
    from monthly
    window so_far as (partition by monthly.holder_key order by monthly.month_start rows between unbounded preceding and current row)
),

judged as (
    select
        stocked.holder_key,
        stocked.month_start,
        cast(stocked.contracts_at_end - stocked.contracts as integer) as contracts_at_start,
        cast(stocked.contracts_at_end as integer) as contracts_at_end,
        cast(stocked.fee_at_end - stocked.monthly_fee as decimal(18, 2)) as fee_at_start,
        cast(stocked.fee_at_end as decimal(18, 2)) as fee_at_end,
        stocked.is_at_start > 0 as is_at_start,
        stocked.is_at_end > 0 as is_at_end,
        stocked.came > 0 as is_coming,
        stocked.came_before > 0 as is_known
    from stocked
    where
        stocked.contracts <> 0
        or stocked.monthly_fee <> 0
        or stocked.is_at_start <> stocked.is_at_end
        or (stocked.is_at_start = 0 and stocked.came > 0)
)

select
    judged.holder_key,
    judged.month_start,
    holders.customer_key,
    holders.source,
    holders.org_unit_id,
    holders.customer_kind,
    judged.is_at_start,
    judged.is_at_end,
    not judged.is_at_start and judged.is_coming and not judged.is_known as is_joined,
    not judged.is_at_start and judged.is_coming and judged.is_known as is_reactivated,
    judged.is_at_start and not judged.is_at_end as is_lost,
    not judged.is_at_start and judged.is_coming and not judged.is_at_end as is_passing,
    judged.contracts_at_start,
    judged.contracts_at_end,
    judged.fee_at_start,
    judged.fee_at_end,
    cast(case when judged.is_at_start and not judged.is_at_end then judged.fee_at_start else 0 end as decimal(18, 2)) as lost_fee,
    cast(case when judged.is_at_start and judged.is_at_end then greatest(judged.fee_at_end - judged.fee_at_start, 0) else 0 end as decimal(18, 2)) as expansion_fee,
    cast(case when judged.is_at_start and judged.is_at_end then greatest(judged.fee_at_start - judged.fee_at_end, 0) else 0 end as decimal(18, 2)) as contraction_fee,
    cast(case when not judged.is_at_start and judged.is_at_end and not judged.is_known then judged.fee_at_end else 0 end as decimal(18, 2)) as new_fee,
    cast(case when not judged.is_at_start and judged.is_at_end and judged.is_known then judged.fee_at_end else 0 end as decimal(18, 2)) as reactivated_fee,
    {{ last_day_of_month('judged.month_start') }} + cast({{ threshold('churn_gap_days') }} as integer) + 1 <= holders.known_until as is_final,
    holders.observed_from <= judged.month_start as is_observed,
    holders.joined_on
from judged
inner join holders on judged.holder_key = holders.holder_key
