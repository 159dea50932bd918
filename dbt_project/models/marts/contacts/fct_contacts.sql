{{ config(materialized='view') }}

-- A call is a contact when it was offered to people; a telephone ticket is not counted again beside its call. What a call or a message
-- session was about is what its ticket says.
with tickets as (
    select * from {{ ref('fct_tickets') }}
),

-- An exchange names a ticket without saying whose; an id that two help desks have names none.
tickets_of_one_source as (
    select
        ticket_id,
        min(topic) as topic,
        min(ticket_kind) as ticket_kind,
        min(product_line) as product_line
    from tickets
    group by ticket_id
    having count(*) = 1
),

calls as (
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
        call_type,
        is_marked_solved,
        is_orphan_customer,
        started_at,
        started_on
    from {{ ref('fct_calls') }}
    where is_offered
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
        'unknown' as call_type,
        messages.is_marked_solved,
        messages.customer_id is not null and links.customer_key is null as is_orphan_customer,
        messages.started_at,
        {{ local_day('messages.started_at', 'units.time_zone') }} as started_on
    from {{ ref('int_messages') }} as messages
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(messages.customer_source, messages.source) = links.source and messages.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on messages.org_unit_id = units.org_unit_id
    where messages._status = 'used'
),

conversations as (
    select * from calls
    union all
    select * from messages
),

with_reasons as (
    select
        conversations.*,
        coalesce(own_tickets.topic, other_tickets.topic) as topic,
        coalesce(own_tickets.ticket_kind, other_tickets.ticket_kind) as ticket_kind,
        coalesce(own_tickets.product_line, other_tickets.product_line) as ticket_product_line
    from conversations
    left join tickets as own_tickets on conversations.source = own_tickets.source and conversations.issue_id = own_tickets.ticket_id
    left join tickets_of_one_source as other_tickets on conversations.issue_id = other_tickets.ticket_id
)

select
    source,
    contact_id,
    contact_kind,
    issue_id,
    customer_id,
    customer_key,
    customer_kind,
    agent_id,
    org_unit_id,
    channel,
    coalesce(nullif(product_line, 'unknown'), ticket_product_line, 'unknown') as product_line,
    {{ or_unknown('topic') }} as topic,
    {{ or_unknown('ticket_kind') }} as ticket_kind,
    is_marked_solved,
    {{ is_in_level_one_scope({'ticket_kind': 'ticket_kind', 'topic': 'topic', 'call_type': 'call_type'}) }} as is_in_level_one_scope,
    is_orphan_customer,
    started_at,
    started_on
from with_reasons
union all
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
    topic,
    ticket_kind,
    is_marked_solved,
    is_in_level_one_scope,
    is_orphan_customer,
    created_at as started_at,
    created_on as started_on
from tickets
where is_in_base and channel not in ('phone', 'chat', 'app', 'social')
