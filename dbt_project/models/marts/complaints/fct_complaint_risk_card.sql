select
    model_version,
    cast(cases_learned as integer) as cases_learned,
    cast(cases_tested as integer) as cases_tested,
    cast(again_tested as integer) as again_tested,
    again_expected,
    auc,
    auc_low,
    auc_high,
    brier,
    brier_of_the_mean,
    calibration_slope,
    calibration_slope_low,
    calibration_slope_high,
    captured_10,
    case
        when auc_low > 0.5 then 'better_than_chance'
        when auc_low is not null then 'not_better_than_chance'
        else 'unknown'
    end as verdict,
    no_score_reason as reason,
    first_test_day,
    last_test_day,
    as_of
from {{ ref('score_complaint_risk') }}
where part = 'card'
