with parts as (
    select * from {{ ref('score_cause_model') }}
)

select
    language as text_language,
    root_cause,
    cast(rank as integer) as word_rank,
    word,
    weight,
    cast(cases as integer) as cases,
    example_complaint_id,
    model_version,
    as_of
from parts
where part = 'word'
