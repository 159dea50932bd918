{{ config(enabled='surveys' in var('sources')) }}

select
    invitation_id,
    survey_id,
    {{ map_values('survey_type', 'survey_kind', {'tcsi': 'index'}) }},
    wave,
    contact_type as about_kind,
    contact_id as about_id,
    recipient_id as customer_id,
    'crm' as customer_source,
    channel,
    unit_code as org_unit_id,
    product as product_line,
    {{ timestamp_column('sent_at', 'sent_at', tz='America/New_York', format='%m/%d/%Y %I:%M:%S %p') }},
    {{ timestamp_column('delivered_at', 'delivered_at', tz='America/New_York', format='%m/%d/%Y %I:%M:%S %p') }},
    {{ load_facts('invitations') }}
from {{ source('surveys', 'invitations') }}
