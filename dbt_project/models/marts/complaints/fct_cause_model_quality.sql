with parts as (
    select * from {{ ref('score_cause_model') }}
)

select
    role as model_role,
    is_used,
    language as text_language,
    root_cause,
    cast(cases as integer) as cases,
    cast(answered as integer) as answered,
    cast(predicted as integer) as predicted,
    cast(hits as integer) as hits,
    precision as precision_share,
    recall as recall_share,
    f1,
    macro_f1,
    learned_until,
    tested_from,
    tested_to,
    model_version,
    as_of
from parts
where part = 'quality'
