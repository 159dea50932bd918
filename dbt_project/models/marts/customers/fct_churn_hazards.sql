select
    hazards.property,
    hazards.level,
    hazards.reference,
    hazards.state,
    hazards.departures,
    hazards.stretches,
    hazards.hazard_ratio,
    hazards.low,
    hazards.high,
    hazards.p_value,
    hazards.late_ratio,
    hazards.proportionality_p_value,
    hazards.is_proportional,
    hazards.split_months,
    hazards.model_version,
    hazards.as_of
from {{ ref('score_churn_hazards') }} as hazards
