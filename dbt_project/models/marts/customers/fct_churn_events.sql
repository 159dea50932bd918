-- The first rule whose evidence is found says the type; who has none of it left for reasons that are not known. Causes are shares of the points of all evidence found.
with evidence as (
    select * from {{ ref('ftr_churn_evidence') }}
),

typed as (
    select
        evidence.departure,
        min(evidence.rule_order) as rule_order,
        count(distinct r.churn_type) as types_with_evidence
    from evidence
    inner join {{ ref('churn_rules') }} as r on evidence.rule_order = r.rule_order
    where evidence.rule_set = 'type'
    group by evidence.departure
),

judged as (
    select
        typed.departure,
        typed.rule_order,
        typed.types_with_evidence,
        r.churn_type,
        evidence.evidence,
        evidence.evidence_count,
        evidence.nearest_reference,
        evidence.days_before
    from typed
    inner join {{ ref('churn_rules') }} as r on typed.rule_order = r.rule_order
    inner join evidence on typed.departure = evidence.departure and evidence.rule_set = 'type' and typed.rule_order = evidence.rule_order
),

points as (
    select
        evidence.departure,
        evidence.evidence_count * c.value as value,
        evidence.evidence_count * c.system as system,
        evidence.evidence_count * c.employee as employee
    from evidence
    inner join {{ ref('churn_causes') }} as c on evidence.rule_order = c.cause_order
    where evidence.rule_set = 'cause'
    union all
    select
        judged.departure,
        c.value,
        c.system,
        c.employee
    from judged
    inner join {{ ref('churn_causes') }} as c on c.evidence = 'churn_type' and judged.churn_type = c.parameter
),

causes as (
    select
        points.departure,
        sum(points.value) as value,
        sum(points.system) as system,
        sum(points.value) + sum(points.system) + sum(points.employee) as total
    from points
    group by points.departure
    having sum(points.value) + sum(points.system) + sum(points.employee) > 0
),

weighed as (
    select
        causes.departure,
        round(causes.value / causes.total, 4) as cause_value,
        round(causes.system / causes.total, 4) as cause_system
    from causes
),

joined as (
    select
        departures.*,
        judged.rule_order,
        judged.types_with_evidence,
        judged.churn_type,
        judged.evidence,
        judged.evidence_count,
        judged.nearest_reference,
        judged.days_before,
        weighed.cause_value,
        weighed.cause_system,
        1 - weighed.cause_value - weighed.cause_system as cause_employee,
        units.province_id
    from {{ ref('ftr_departures') }} as departures
    left join judged on departures.departure = judged.departure
    left join weighed on departures.departure = weighed.departure
    left join {{ ref('dim_org_units') }} as units on departures.org_unit_id = units.org_unit_id
)

select
    joined.holder_key,
    joined.product_line,
    joined.churn_kind,
    joined.left_on,
    joined.customer_key,
    joined.source,
    joined.org_unit_id,
    joined.customer_kind,
    joined.subscription_id,
    {{ or_unknown('joined.end_reasons') }} as end_reason,
    {{ or_unknown('joined.churn_type') }} as churn_type,
    cast(joined.rule_order as integer) as rule_order,
    coalesce(joined.evidence, 'none') as evidence,
    cast(joined.evidence_count as bigint) as evidence_count,
    joined.nearest_reference as evidence_reference,
    cast(joined.days_before as bigint) as evidence_days_before,
    cast(coalesce(joined.types_with_evidence, 0) as integer) as types_with_evidence,
    cast(joined.cause_value as double) as cause_value,
    cast(joined.cause_system as double) as cause_system,
    cast(round(joined.cause_employee, 4) as double) as cause_employee,
    case
        when joined.cause_value is null then 'unknown'
        when joined.cause_value >= greatest(joined.cause_system, joined.cause_employee) then 'value'
        when joined.cause_system >= joined.cause_employee then 'system'
        else 'employee'
    end as main_cause,
    cast(joined.contracts as integer) as contracts,
    cast(joined.monthly_fee as decimal(18, 2)) as monthly_fee,
    joined.is_whole,
    joined.is_customer_departure,
    {{ month_start_of('joined.began_on') }} = {{ month_start_of('joined.left_on') }} as is_joiner,
    joined.decided_on <= joined.known_until as is_final,
    cast(joined.left_on - joined.began_on + 1 as integer) as tenure_days,
    joined.began_on,
    joined.returned_on
from joined
