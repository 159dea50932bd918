select
    reviewer_1,
    reviewer_2,
    item,
    period,
    period_on,
    statistic,
    cast(contacts as integer) as contacts,
    value,
    standard_error,
    low,
    high,
    reason,
    mean_difference,
    model_version,
    as_of
from {{ ref('score_reviewer_agreement') }}
