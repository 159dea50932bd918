{{ config(enabled='retail_bank' in var('sources')) }}

select
    'review-' || log_row_id as response_id,
    'stars' as question_id,
    case when _problem is null then 'csat' end as question_role,
    'overall' as construct,
    'Stars' as question_text,
    {{ timestamp_column('"date"', 'responded_at', tz='America/New_York') }},
    stars as answer_value,
    stars as answer_text,
    1 as scale_min,
    5 as scale_max,
    {{ load_facts('reviews') }}
from {{ log_lines(source('retail_bank', 'reviews'), ['date', 'stars', 'reviews', 'product', 'district_id']) }} as numbered
