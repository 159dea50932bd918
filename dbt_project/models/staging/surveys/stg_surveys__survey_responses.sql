{{ config(enabled='surveys' in var('sources')) }}

select
    response_id,
    invitation_id,
    survey_id,
    {{ map_values('survey_type', 'survey_kind', {'tcsi': 'index'}) }},
    wave,
    contact_type as about_kind,
    contact_id as about_id,
    recipient_id as customer_id,
    'crm' as customer_source,
    mode as channel,
    unit_code as org_unit_id,
    product as product_line,
    {{ timestamp_column('submitted_at', 'responded_at', tz='America/New_York', format='%m/%d/%Y %I:%M:%S %p') }},
    base_weight,
    language,
    comment,
    {{ load_facts('responses') }}
from {{ source('surveys', 'responses') }}
