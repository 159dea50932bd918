{{ config(materialized='view') }}

select
    scores.segment_kind,
    scores.segment,
    scores.customer_days,
    scores.departures,
    scores.departures_expected,
    scores.auc,
    scores.auc_low,
    scores.auc_high,
    scores.brier,
    scores.brier_of_the_mean,
    scores.calibration_slope,
    scores.calibration_slope_low,
    scores.calibration_slope_high,
    scores.calibration_intercept,
    scores.calibration_intercept_low,
    scores.calibration_intercept_high,
    scores.lift_5,
    scores.lift_10,
    scores.captured_10,
    scores.first_test_day,
    scores.last_test_day,
    scores.reason,
    scores.model_version,
    scores.as_of
from {{ ref('score_risk_card') }} as scores
