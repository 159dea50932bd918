-- A band and the money at risk are arithmetic on the score; the horizon stands in months, as the fees do.
select
    features.customer_key,
    features.org_unit_id,
    features.customer_kind,
    features.product_line,
    scores.churn_probability,
    case
        when scores.churn_probability >= {{ threshold('risk_high') }} then 'high'
        when scores.churn_probability >= {{ threshold('risk_medium') }} then 'medium'
        when scores.churn_probability is not null then 'low'
        else 'unknown'
    end as risk_band,
    cast(features.contracts as integer) as contracts,
    cast(features.monthly_fee as decimal(18, 2)) as monthly_fee,
    round(scores.churn_probability * features.monthly_fee * {{ threshold('risk_horizon') }} / 86400 / 30.4375, 6) as value_at_risk,
    scores.reason_1,
    scores.reason_2,
    scores.reason_3,
    scores.reason_1_points,
    scores.reason_2_points,
    scores.reason_3_points,
    scores.no_score_reason,
    scores.model_version,
    scores.as_of as scored_on
from {{ ref('score_customer_risk') }} as scores
inner join {{ ref('ftr_customer_risk') }} as features on scores.customer_key = features.customer_key and features.is_current
