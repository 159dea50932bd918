-- Who left what, and when. By contract: the last contract of a product line ended and none followed within the days of grace. By inactivity: a customer with orders
-- and never a contract did not buy for much longer than his own rhythm, as it was known at that purchase; he left on the day of his last purchase.
{% set factor = threshold('churn_rhythm_factor') %}
with followed as (
    select
        stretches.*,
        max(stretches.left_on) over (partition by stretches.holder_key, stretches.holder_began_on) as holder_left_on
    from {{ ref('ftr_line_stretches') }} as stretches
),

ended as (
    select followed.*
    from followed
    where followed.left_on < date '9999-12-31'
),

{% set dearest = sort_key(['spells.monthly_fee', 'spells.subscription_id', 'spells.source']) %}
-- What the contracts cost that ended with the line, what their ends were given as reasons, and the dearest of them.
fees as (
    select
        ended.holder_key,
        ended.product_line,
        ended.began_on,
        count(*) as contracts,
        sum(spells.monthly_fee) as monthly_fee,
        arg_max(spells.source, {{ dearest }}) as source,
        arg_max(spells.subscription_id, {{ dearest }}) as subscription_id,
        arg_max(coalesce(spells.account_id, ''), {{ dearest }}) as account_id,
        arg_max(coalesce(spells.contract_months, 0), {{ dearest }}) as contract_months,
        arg_max(spells.started_on, {{ dearest }}) as contract_started_on,
        {{ ordered_distinct_text('spells.end_reason', ';') }} as end_reasons
    from ended
    inner join {{ ref('ftr_contract_spells') }} as spells
        on
            ended.holder_key = spells.holder_key
            and ended.product_line = spells.product_line
            and ended.began_on = spells.line_began_on
            and ended.left_on = spells.last_on
    group by ended.holder_key, ended.product_line, ended.began_on
),

contractual as (
    select
        'contract' as churn_kind,
        ended.holder_key,
        ended.product_line,
        ended.left_on,
        ended.customer_key,
        ended.customer_kind,
        ended.org_unit_id,
        fees.source,
        fees.subscription_id,
        nullif(fees.account_id, '') as account_id,
        fees.contract_months,
        fees.contract_started_on,
        fees.end_reasons,
        fees.contracts,
        fees.monthly_fee,
        ended.began_on,
        ended.returned_on,
        ended.left_on = ended.holder_left_on as is_whole,
        ended.left_on + cast({{ threshold('churn_gap_days') }} as integer) + 1 as decided_on,
        ended.known_until,
        ended.observed_from
    from ended
    inner join fees
        on ended.holder_key = fees.holder_key and ended.product_line = fees.product_line and ended.began_on = fees.began_on
),

-- Mean time between the purchases so far; `patience` is how long he may stay away after this one.
purchases as (
    select
        purchases.customer_key,
        purchases.source,
        purchases.org_unit_id,
        purchases.customer_kind,
        purchases.purchased_on,
        purchases.next_purchase_on,
        purchases.purchase_number,
        max(purchases.purchased_on) over () as known_until,
        min(purchases.purchased_on) over () as observed_from,
        min(purchases.purchased_on) over (partition by purchases.customer_key) as first_purchase_on
    from {{ ref('fct_purchases') }} as purchases
    where purchases.customer_key not in (
        select stretches.customer_key
        from {{ ref('ftr_line_stretches') }} as stretches
        where stretches.customer_key is not null
    )
),

patient as (
    select
        purchases.*,
        cast(case
            when purchases.purchase_number < {{ threshold('churn_rhythm_purchases') }} or purchases.purchase_number = 1
                then {{ threshold('churn_inactive_days') }}
            else least(
                greatest(
                    ceil({{ factor }} * (purchases.purchased_on - purchases.first_purchase_on) / (purchases.purchase_number - 1)),
                    {{ threshold('churn_inactive_minimum_days') }}
                ),
                {{ threshold('churn_inactive_maximum_days') }}
            )
        end as integer) as patience
    from purchases
),

inactive as (
    select
        'inactivity' as churn_kind,
        patient.customer_key as holder_key,
        'orders' as product_line,
        patient.purchased_on as left_on,
        patient.customer_key,
        patient.customer_kind,
        patient.org_unit_id,
        patient.source,
        cast(null as varchar) as subscription_id,
        cast(null as varchar) as account_id,
        cast(null as integer) as contract_months,
        cast(null as date) as contract_started_on,
        cast(null as varchar) as end_reasons,
        cast(0 as bigint) as contracts,
        cast(0 as decimal(38, 2)) as monthly_fee,
        patient.first_purchase_on as began_on,
        patient.next_purchase_on as returned_on,
        true as is_whole,
        patient.purchased_on + patient.patience as decided_on,
        patient.known_until,
        patient.observed_from
    from patient
    where patient.purchased_on + patient.patience < coalesce(patient.next_purchase_on, patient.known_until + 1)
),

together as (
    select * from contractual
    union all by name
    select * from inactive
)

-- One line of those that a customer leaves on the same day as his last ones stands for the customer.
select
    row_number() over (order by together.holder_key, together.left_on, together.product_line, together.churn_kind) as departure,
    together.*,
    together.is_whole
    and row_number() over (
        partition by together.holder_key, together.left_on, together.is_whole, together.churn_kind order by together.monthly_fee desc, together.product_line asc
    ) = 1 as is_customer_departure
from together
