with candidates as (
    select * from {{ ref('score_cause_candidates') }}
)

select
    cast(candidate as integer) as candidate,
    words_en,
    words_zh,
    topic as symptom,
    cast(cases as integer) as cases,
    cast(cases_28d as integer) as cases_28d,
    cast(cases_before_28d as integer) as cases_before_28d,
    case when cases_before_28d > 0 then cast(cases_28d as double) / cases_before_28d - 1 end as growth_share,
    first_opened_on,
    last_opened_on,
    {{ list_to_text('example_complaint_ids', ' ') }} as example_complaint_ids,
    model_version,
    as_of
from candidates
