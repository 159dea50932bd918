-- The base of complaint users: whom, why, what was done, and whether it held. The newest case speaks for the customer.
{% set newest = sort_key(['opened_at', 'complaint_id']) %}
select
    customer_key,
    {{ last_value_of('customer_kind', newest) }} as customer_kind,
    {{ last_value_of('org_unit_id', newest) }} as org_unit_id,
    {{ last_value_of('channel', newest) }} as last_channel,
    {{ last_value_of('product_line', newest) }} as last_product_line,
    {{ last_value_of('complaint_id', newest) }} as last_complaint_id,
    {{ last_value_of('cause', newest) }} as last_cause,
    {{ last_value_of('complaint_object', newest) }} as last_object,
    {{ last_value_of('claim_kind', newest) }} as last_claim_kind,
    {{ last_value_of('remedy_kind', newest) }} as last_remedy_kind,
    {{ last_value_of('threat', newest) }} as last_threat,
    {{ last_value_of('dispute_stage', newest) }} as last_dispute_stage,
    {{ last_value_of('check_state', newest) }} as last_check_state,
    {{ last_value_of(record(['is_closed']), newest) }}.is_closed as is_last_closed,
    {{ last_value_of(record(['is_fix_held_30d']), newest) }}.is_fix_held_30d as is_last_fix_held_30d,
    cast(count(*) as integer) as complaints,
    cast(count(*) filter (where not is_closed) as integer) as open_complaints,
    cast(count(*) filter (where is_second) as integer) as second_complaints,
    cast(count(distinct cause) as integer) as causes,
    cast(sum(reopen_count) as integer) as reopenings,
    min(opened_at) as first_opened_at,
    max(opened_at) as last_opened_at,
    max(closed_at) as last_closed_at,
    max(opened_on) as last_opened_on
from {{ ref('fct_complaints') }}
where customer_key is not null
group by customer_key
