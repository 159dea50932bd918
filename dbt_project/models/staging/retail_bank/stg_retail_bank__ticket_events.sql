{{ config(enabled='retail_bank' in var('sources')) }}

-- A complaint's two days: received, and sent on to the company. Some were sent on the day before they were received, by the log; they are kept
-- as the log has them, for nothing says which of the two days is wrong.
{% for number, kind, value, day in [(0, 'created', 'null', 'date_received'), (1, 'group', "'company'", 'date_sent_to_company')] %}
select
    {{ blank_to_null('complaint_id') }} || '/{{ number }}' as ticket_event_id,
    complaint_id as ticket_id,
    {{ timestamp_column(day, 'occurred_at', tz='America/New_York', format='%d-%m-%Y') }},
    {{ number }} as sequence_number,
    '{{ kind }}' as event_kind,
    {{ value }} as value,
    {{ number }} as _sub_record,
    {{ load_facts('complaints') }}
from {{ source('retail_bank', 'complaints') }}
{{ "where " ~ blank_to_null(day) ~ " is not null" if number > 0 }}
{{ 'union all' if not loop.last }}
{% endfor %}
