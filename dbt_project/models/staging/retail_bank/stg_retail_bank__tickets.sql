{{ config(enabled='retail_bank' in var('sources'), meta={'lookups': ['retail_bank.clients']}) }}

-- The complaint log writes clients as bare numbers (1925 is C00001925), and dates day first. "Untimely response" says how the bank answered, not
-- whether the case is closed: its status is unknown.
with clients as (
    {{ newest_rows(source('retail_bank', 'clients'), ['client_id']) }}
),

complaints as (
    select
        *,
        'C' || lpad({{ blank_to_null('client_id') }}, 8, '0') as customer_id
    from {{ source('retail_bank', 'complaints') }}
)

select
    complaints.complaint_id as ticket_id,
    complaints.customer_id,
    {{ map_values('complaints.submitted_via', 'channel', {
        'web': 'web', 'referral': 'referral', 'phone': 'phone', 'postal mail': 'letter', 'fax': 'fax', 'email': 'email',
    }) }},
    case when complaints._problem is null then 'complaint' end as ticket_kind,
    complaints.issue as topic,
    complaints.sub_product as subtopic,
    complaints.product as product_line,
    {{ map_values('complaints.company_response_to_consumer', 'ticket_status', {
        'in progress': 'open', 'untimely response': none, 'closed': 'closed', 'closed with explanation': 'closed',
        'closed with monetary relief': 'closed', 'closed with non-monetary relief': 'closed', 'closed with relief': 'closed',
        'closed without relief': 'closed',
    }) }},
    'district-' || {{ blank_to_null('clients.district_id') }} as org_unit_id,
    {{ timestamp_column('complaints.date_received', 'created_at', tz='America/New_York', format='%d-%m-%Y') }},
    complaints.company_response_to_consumer as resolution_code,
    {{ boolean_column('complaints.timely_response', 'reported_sla_met') }},
    {{ load_facts('complaints', 'complaints') }}
from complaints
left join clients on complaints.customer_id = clients.client_id
