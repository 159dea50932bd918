{{ config(materialized='view') }}

-- A call is a contact when it was offered to people; a telephone ticket is not counted again beside its call.
with calls as (
    select
        source,
        concat('call:', call_id) as contact_id,
        'call' as contact_kind,
        ticket_id as issue_id,
        customer_id,
        customer_key,
        customer_kind,
        agent_id,
        org_unit_id,
        channel,
        product_line,
        is_orphan_customer,
        started_at,
        started_on
    from {{ ref('fct_calls') }}
    where is_offered
),

tickets as (
    select
        source,
        concat('ticket:', ticket_id) as contact_id,
        'ticket' as contact_kind,
        ticket_id as issue_id,
        customer_id,
        customer_key,
        customer_kind,
        agent_id,
        org_unit_id,
        channel,
        product_line,
        is_orphan_customer,
        created_at as started_at,
        created_on as started_on
    from {{ ref('fct_tickets') }}
    where is_in_base and channel not in ('phone', 'chat', 'app', 'social')
),

messages as (
    select
        messages.source,
        concat('message:', messages.message_session_id) as contact_id,
        'message' as contact_kind,
        messages.ticket_id as issue_id,
        messages.customer_id,
        links.customer_key,
        {{ or_unknown('customers.customer_kind') }} as customer_kind,
        messages.agent_id,
        messages.org_unit_id,
        {{ or_unknown('messages.channel') }} as channel,
        'unknown' as product_line,
        messages.customer_id is not null and links.customer_key is null as is_orphan_customer,
        messages.started_at,
        {{ local_day('messages.started_at', 'units.time_zone') }} as started_on
    from {{ ref('int_messages') }} as messages
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(messages.customer_source, messages.source) = links.source and messages.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on messages.org_unit_id = units.org_unit_id
    where messages._status = 'used'
)

select * from calls
union all
select * from tickets
union all
select * from messages
