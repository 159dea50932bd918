select
    scores.complaint_id,
    complaints.customer_key,
    complaints.org_unit_id,
    complaints.customer_kind,
    complaints.cause,
    complaints.product_line,
    complaints.is_closed,
    scores.probability,
    case
        when scores.probability >= {{ threshold('complaint_risk_high') }} then 'high'
        when scores.probability >= {{ threshold('complaint_risk_medium') }} then 'medium'
        when scores.probability is not null then 'low'
        else 'unknown'
    end as risk_band,
    scores.reason_1,
    scores.reason_2,
    scores.reason_3,
    scores.no_score_reason,
    complaints.opened_on,
    complaints.closed_on,
    scores.model_version,
    scores.as_of as scored_on
from {{ ref('score_complaint_risk') }} as scores
inner join {{ ref('fct_complaints') }} as complaints on scores.complaint_id = complaints.complaint_id
where scores.part = 'scored'
