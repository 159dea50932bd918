{{ config(enabled='retail_bank' in var('sources')) }}

-- A review names no client, and most have stars only ("No Review").
select
    'review-' || log_row_id as response_id,
    'reviews' as survey_id,
    'csat' as survey_kind,
    'web' as channel,
    'district-' || {{ blank_to_null('district_id') }} as org_unit_id,
    product as product_line,
    {{ timestamp_column('"date"', 'responded_at', tz='America/New_York') }},
    nullif(reviews, 'No Review') as comment,
    {{ load_facts('reviews') }}
from {{ log_lines(source('retail_bank', 'reviews'), ['date', 'stars', 'reviews', 'product', 'district_id']) }} as numbered
