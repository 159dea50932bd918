{{ config(materialized='view') }}

-- A call is a contact when it was offered to people; a telephone ticket is not counted again beside its call. A message session is one
-- whoever answered it, if the customer began it. What a call or a message session was about is what its ticket says.
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
        customer_tier,
        agent_id,
        org_unit_id,
        channel,
        touch_point,
        product_line,
        call_type,
        is_marked_solved,
        is_orphan_customer,
        true as is_human,
        false as is_bot_answered,
        started_at,
        started_on
    from {{ ref('fct_calls') }}
    where is_offered
),

messages as (
    select
        source,
        concat('message:', message_session_id) as contact_id,
        'message' as contact_kind,
        ticket_id as issue_id,
        customer_id,
        customer_key,
        customer_kind,
        customer_tier,
        agent_id,
        org_unit_id,
        channel,
        touch_point,
        'unknown' as product_line,
        'unknown' as call_type,
        is_marked_solved,
        is_orphan_customer,
        not is_bot_ended as is_human,
        is_bot_answered,
        started_at,
        started_on
    from {{ ref('fct_messages') }}
    where direction = 'inbound'
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
    customer_tier,
    agent_id,
    org_unit_id,
    channel,
    touch_point,
    coalesce(nullif(product_line, 'unknown'), ticket_product_line, 'unknown') as product_line,
    {{ or_unknown('topic') }} as topic,
    {{ or_unknown('ticket_kind') }} as ticket_kind,
    is_marked_solved,
    {{ is_in_level_one_scope({'ticket_kind': 'ticket_kind', 'topic': 'topic', 'call_type': 'call_type'}) }} as is_in_level_one_scope,
    is_orphan_customer,
    is_human,
    is_bot_answered,
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
    customer_tier,
    agent_id,
    org_unit_id,
    channel,
    touch_point,
    product_line,
    topic,
    ticket_kind,
    is_marked_solved,
    is_in_level_one_scope,
    is_orphan_customer,
    true as is_human,
    false as is_bot_answered,
    created_at as started_at,
    created_on as started_on
from tickets
where is_in_base and channel not in ('phone', 'chat', 'app', 'social')
