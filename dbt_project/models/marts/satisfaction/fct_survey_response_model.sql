select
    source,
    survey_id,
    period,
    figure,
    coalesce(fact, '-') as fact,
    coalesce(fact_value, '-') as fact_value,
    coalesce(band, 0) as band,
    amount,
    model_version,
    as_of
from {{ ref('score_response_fits') }}
where figure is not null
