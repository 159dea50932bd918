{{ config(enabled='zendesk' in var('sources')) }}

-- A ticket that was merged away, marked as spam, as a test or as a duplicate stays a ticket; `exclusion_kind` takes it out of the base.
select
    id as ticket_id,
    requester_id as customer_id,
    custom_account_no as account_id,
    {{ map_values('via_channel', 'channel', {'voice': 'phone', 'native_messaging': 'app', 'wechat': 'social'}) }},
    custom_touch_point as touch_point,
    {{ map_values('custom_contact_kind', 'ticket_kind', {'consult': 'enquiry', 'service_request': 'request'}) }},
    custom_topic as topic,
    custom_subtopic as subtopic,
    custom_product as product_line,
    custom_asset_no as asset_id,
    custom_asset_kind as asset_kind,
    custom_fault_code as fault_code,
    lower(priority) as priority,
    lower(status) as ticket_status,
    custom_unit_code as org_unit_id,
    {{ zendesk_agent_id('assignee_id') }} as agent_id,
    subject,
    description,
    custom_language as language,
    {{ timestamp_column('created_at', 'created_at') }},
    {{ timestamp_column('due_at', 'due_at') }},
    custom_resolution_code as resolution_code,
    case
        when concat(' ', tags, ' ') like '% closed_by_merge %' then 'merged'
        when concat(' ', tags, ' ') like '% spam %' then 'spam'
        when concat(' ', tags, ' ') like '% test %' then 'test'
        when concat(' ', tags, ' ') like '% duplicate %' then 'duplicate'
    end as exclusion_kind,
    case when via_source_rel = 'merge' then via_source_from_id end as merged_into_ticket_id,
    {{ version_column('updated_at') }},
    {{ load_facts('tickets') }}
from {{ source('zendesk', 'tickets') }}
