{{ config(materialized='view') }}

select
    scores.relation,
    scores.source,
    scores.population,
    scores.model,
    scores.parameter,
    scores.parameter_value,
    scores.parameter_low,
    scores.parameter_high,
    scores.histories,
    scores.log_likelihood,
    scores.margin_share,
    scores.margin_basis,
    scores.backtest_expected,
    scores.backtest_observed,
    scores.reason,
    scores.model_version,
    scores.as_of
from {{ ref('score_value_parameters') }} as scores
