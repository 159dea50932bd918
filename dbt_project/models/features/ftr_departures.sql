-- Who left what, and when. By contract: the last contract of a product line ended and none followed within the days of grace. By inactivity: a customer with orders
-- and never a contract did not buy for much longer than his own rhythm, as it was known at that purchase; he left on the day of his last purchase.
{% set factor = threshold('churn_rhythm_factor') %}
with lines as (
    select
        spells.holder_key,
        spells.product_line,
        spells.line_began_on,
        max(spells.holder_began_on) as holder_began_on,
        any_value(spells.customer_key) as customer_key,
        any_value(spells.customer_kind) as customer_kind,
        min(spells.org_unit_id) as org_unit_id,
        max(spells.last_on) as left_on,
        max(spells.known_until) as known_until,
        min(spells.observed_from) as observed_from,
        arg_max({{ record(['source', 'subscription_id', 'account_id', 'contract_months', 'started_on']) }}, {{ sort_key(['spells.last_on', 'spells.monthly_fee', 'spells.subscription_id', 'spells.source']) }}) as contract
    from {{ ref('ftr_contract_spells') }} as spells
    group by spells.holder_key, spells.product_line, spells.line_began_on
),

followed as (
    select
        lines.*,
        max(lines.left_on) over (partition by lines.holder_key, lines.holder_began_on) as holder_left_on,
        lead(lines.line_began_on) over (partition by lines.holder_key, lines.product_line order by lines.line_began_on) as returned_on
    from lines
),

ended as (
    select followed.*
    from followed
    where followed.left_on < date '9999-12-31'
),

-- What the contracts cost that ended with the line, and what their ends were given as reasons.
fees as (
    select
        ended.holder_key,
        ended.product_line,
        ended.line_began_on,
        count(*) as contracts,
        sum(spells.monthly_fee) as monthly_fee,
        {{ ordered_distinct_text('spells.end_reason', ';') }} as end_reasons
    from ended
    inner join {{ ref('ftr_contract_spells') }} as spells
        on
            ended.holder_key = spells.holder_key
            and ended.product_line = spells.product_line
            and ended.line_began_on = spells.line_began_on
            and ended.left_on = spells.last_on
    group by ended.holder_key, ended.product_line, ended.line_began_on
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
        ended.contract.source as source,
        ended.contract.subscription_id as subscription_id,
        ended.contract.account_id as account_id,
        ended.contract.contract_months as contract_months,
        ended.contract.started_on as contract_started_on,
        fees.end_reasons,
        fees.contracts,
        fees.monthly_fee,
        ended.line_began_on as began_on,
        ended.returned_on,
        ended.left_on = ended.holder_left_on as is_whole,
        ended.left_on + cast({{ threshold('churn_gap_days') }} as integer) + 1 as decided_on,
        ended.known_until,
        ended.observed_from
    from ended
    inner join fees
        on ended.holder_key = fees.holder_key and ended.product_line = fees.product_line and ended.line_began_on = fees.line_began_on
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
    where not exists (select 1 from {{ ref('ftr_contract_spells') }} as spells where spells.customer_key = purchases.customer_key)
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
        partition by together.holder_key, together.left_on, together.is_whole, together.churn_kind order by together.monthly_fee desc, together.product_line
    ) = 1 as is_customer_departure
from together
