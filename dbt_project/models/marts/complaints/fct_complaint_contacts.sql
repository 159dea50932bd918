-- Which tickets, calls and message sessions say the same complaint. A merged ticket is part of the one that it was merged into; two tickets of a customer on
-- one topic and product are one case while they follow each other within `complaint_link_window` and the earlier is not closed; a call or session belongs to
-- its ticket. It is made anew each night: a merge of two customers joins cases of any age.
with recursive rules as (
    select
        max(case when complaint_rule = 'kind' then coalesce(ticket_kinds, '') end) as kind_kinds,
        max(case when complaint_rule = 'demand' then coalesce(ticket_kinds, '') end) as demand_kinds,
        max(case when complaint_rule = 'text' then coalesce(ticket_kinds, '') end) as text_kinds
    from {{ ref('complaint_rules') }}
    where is_used
),

signed as (
    select
        facts.source,
        facts.ticket_id,
        links.customer_key,
        facts.agent_id,
        facts.org_unit_id,
        {{ or_unknown('facts.channel') }} as channel,
        facts.topic,
        {{ or_unknown('facts.product_line') }} as product_line,
        facts.exclusion_kind,
        facts.merged_into_ticket_id,
        facts.is_in_base,
        facts.created_at,
        case when facts.lifecycle_status in ('solved', 'closed') then facts.last_solved_at end as closed_at,
        case
            when facts.ticket_kind = 'complaint' and (rules.kind_kinds = '' or {{ is_listed("'complaint'", 'rules.kind_kinds') }}) then 'kind'
            when
                (rules.demand_kinds = '' or {{ is_listed(or_unknown('facts.ticket_kind'), 'rules.demand_kinds') }})
                and (
                    (signs.text_dissatisfaction <> 'failure' and signs.text_claim in ('damages', 'refund', 'non_material'))
                    or signs.text_escalation in ('court', 'regulator', 'media')
                    or signs.claim_kind is not null
                    or signs.dispute_stage is not null
                )
                then 'demand'
            when
                (rules.text_kinds = '' or {{ is_listed(or_unknown('facts.ticket_kind'), 'rules.text_kinds') }})
                and signs.text_dissatisfaction is not null and coalesce(signs.text_claim, signs.text_escalation) is not null
                and not (signs.is_praise and coalesce(signs.text_claim, '') = 'solution')
                then 'text'
        end as complaint_rule
    from {{ ref('int_complaint_signs') }} as signs
    inner join {{ ref('int_ticket_facts') }} as facts on signs.source = facts.source and signs.ticket_id = facts.ticket_id
    cross join rules
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    where coalesce(facts.exclusion_kind, '') not in ('spam', 'test')
),

statements as (
    select * from signed
    where complaint_rule is not null
),

-- Up the merges, to the ticket that is left; a ring of merges ends somewhere in it.
climbs as (
    select
        source,
        ticket_id,
        ticket_id as upper_id,
        0 as steps
    from statements
    union all
    select
        climbs.source,
        climbs.ticket_id,
        facts.merged_into_ticket_id as upper_id,
        climbs.steps + 1 as steps
    from climbs
    inner join {{ ref('int_ticket_facts') }} as facts on climbs.source = facts.source and climbs.upper_id = facts.ticket_id
    where facts.merged_into_ticket_id is not null and climbs.steps < 12
),

tops as (
    select
        source,
        ticket_id,
        {{ last_value_of('upper_id', 'steps') }} as top_id,
        max(steps) as steps
    from climbs
    group by source, ticket_id
),

roots as (
    select
        tops.source,
        tops.top_id as ticket_id,
        min(case statements.complaint_rule when 'kind' then 1 when 'demand' then 2 else 3 end) as rule_rank
    from tops
    inner join statements on tops.source = statements.source and tops.ticket_id = statements.ticket_id
    where statements.exclusion_kind is distinct from 'duplicate' or tops.steps > 0
    group by tops.source, tops.top_id
),

heads as (
    select
        roots.source,
        roots.ticket_id,
        case roots.rule_rank when 1 then 'kind' when 2 then 'demand' else 'text' end as complaint_rule,
        links.customer_key,
        facts.agent_id,
        facts.org_unit_id,
        {{ or_unknown('facts.channel') }} as channel,
        facts.topic,
        {{ or_unknown('facts.product_line') }} as product_line,
        facts.created_at,
        case when facts.lifecycle_status in ('solved', 'closed') then facts.last_solved_at end as closed_at,
        case
            when links.customer_key is null or facts.topic is null then concat(roots.source, ':', roots.ticket_id)
            else concat_ws('|', links.customer_key, facts.topic, {{ or_unknown('facts.product_line') }})
        end as thread
    from roots
    inner join {{ ref('int_ticket_facts') }} as facts on roots.source = facts.source and roots.ticket_id = facts.ticket_id
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    where facts.is_in_base
),

ordered as (
    select
        *,
        lag(created_at) over (partition by thread order by created_at, source, ticket_id) as created_before,
        max(closed_at) over (partition by thread order by created_at, source, ticket_id rows between 1 preceding and 1 preceding) as closed_before
    from heads
),

numbered as (
    select
        *,
        count(*) filter (where
            created_before is null
            or {{ seconds_between('created_before', 'created_at') }} > {{ threshold('complaint_link_window') }}
            or closed_before <= created_at
        ) over (partition by thread order by created_at, source, ticket_id rows unbounded preceding) as run
    from ordered
),

cases as (
    select
        *,
        first_value(concat(source, ':ticket:', ticket_id)) over (partition by thread, run order by created_at, source, ticket_id) as complaint_id,
        row_number() over (partition by thread, run order by created_at, source, ticket_id) = 1 as is_opening
    from numbered
),

-- One case of a customer an instant, so that a look-up has one answer.
customer_starts as (
    select
        customer_key,
        created_at,
        min(complaint_id) as complaint_id,
        max(closed_at) as closed_at
    from cases
    where customer_key is not null
    group by customer_key, created_at
),

-- A duplicate says nothing of its own, often not even its topic: it belongs to its customer's case before it, and to none if there is none.
duplicates as (
    select
        statements.*
    from statements
    inner join tops on statements.source = tops.source and statements.ticket_id = tops.ticket_id
    where statements.exclusion_kind = 'duplicate' and tops.steps = 0 and statements.customer_key is not null
),

placed_duplicates as (
    select
        duplicates.*,
        starts.complaint_id,
        starts.created_at as case_created_at
    from duplicates
    {{ join_latest('customer_starts', 'starts', ['duplicates.customer_key = starts.customer_key'], 'starts.created_at', 'duplicates.created_at') }}
),

case_tickets as (
    select
        source, ticket_id, complaint_id, customer_key, agent_id, org_unit_id, channel, complaint_rule,
        case when is_opening then 'opening' else 'same_topic' end as link_method, true as is_statement, cast(null as boolean) as is_marked_solved,
        cast(null as timestamp) as answered_at, created_at as started_at
    from cases
    union all
    select
        statements.source, statements.ticket_id, cases.complaint_id, statements.customer_key, statements.agent_id, statements.org_unit_id, statements.channel,
        statements.complaint_rule, 'merged' as link_method, false as is_statement, null as is_marked_solved, null as answered_at, statements.created_at as started_at
    from tops
    inner join statements on tops.source = statements.source and tops.ticket_id = statements.ticket_id
    inner join cases on tops.source = cases.source and tops.top_id = cases.ticket_id
    where tops.steps > 0 and tops.ticket_id <> tops.top_id
    union all
    select
        source, ticket_id, complaint_id, customer_key, agent_id, org_unit_id, channel, complaint_rule, 'duplicate' as link_method, false as is_statement,
        null as is_marked_solved, null as answered_at, created_at as started_at
    from placed_duplicates
    where complaint_id is not null and {{ seconds_between('case_created_at', 'created_at') }} <= {{ threshold('complaint_link_window') }}
),

conversations as (
    select
        calls.source,
        concat('call:', calls.call_id) as contact_id,
        'call' as contact_kind,
        calls.ticket_id,
        calls.customer_key,
        calls.agent_id,
        calls.org_unit_id,
        calls.channel,
        coalesce(types.result, queues.result) as code_result,
        calls.is_marked_solved,
        calls.answered_at,
        calls.started_at
    from {{ ref('fct_calls') }} as calls
    left join {{ ref('complaint_codes') }} as types on types.field = 'call_type' and types.says = 'case' and lower(calls.call_type) = types.code
    left join {{ ref('complaint_codes') }} as queues on queues.field = 'queue' and queues.says = 'case' and lower(calls.queue) = queues.code
    where calls.is_offered
    union all
    select
        source,
        concat('message:', message_session_id) as contact_id,
        'message' as contact_kind,
        ticket_id,
        customer_key,
        agent_id,
        org_unit_id,
        channel,
        null as code_result,
        is_marked_solved,
        null as answered_at,
        started_at
    from {{ ref('fct_messages') }}
    where direction = 'inbound' and ticket_id is not null
),

-- An exchange names a ticket without saying whose; an id that two help desks have names none.
known_ids as (
    select
        ticket_id,
        min(source) as source
    from {{ ref('int_ticket_facts') }}
    where ticket_id in (select case_tickets.ticket_id from case_tickets)
    group by ticket_id
    having count(*) = 1
),

talked as (
    select
        conversations.*,
        coalesce(own.complaint_id, other.complaint_id) as complaint_id
    from conversations
    left join case_tickets as own on conversations.source = own.source and conversations.ticket_id = own.ticket_id
    left join known_ids on conversations.ticket_id = known_ids.ticket_id
    left join case_tickets as other on known_ids.source = other.source and known_ids.ticket_id = other.ticket_id
    where conversations.code_result is not null or own.complaint_id is not null or other.complaint_id is not null
),

-- A call that is a complaint by its code alone: of the customer's case before it that is not closed, else of the one that follows.
coded as (
    select * from talked
    where complaint_id is null and ticket_id is null and customer_key is not null
),

after_case as (
    select
        coded.*,
        starts.complaint_id as case_before,
        starts.created_at as created_before,
        starts.closed_at as closed_before
    from coded
    {{ join_latest('customer_starts', 'starts', ['coded.customer_key = starts.customer_key'], 'starts.created_at', 'coded.started_at') }}
),

around_case as (
    select
        after_case.*,
        starts.complaint_id as case_after,
        starts.created_at as created_after
    from after_case
    {{ join_next('customer_starts', 'starts', ['after_case.customer_key = starts.customer_key'], 'starts.created_at', 'after_case.started_at') }}
),

near_case as (
    select
        source,
        contact_id,
        contact_kind,
        customer_key,
        agent_id,
        org_unit_id,
        channel,
        code_result,
        is_marked_solved,
        answered_at,
        started_at,
        case
            when
                {{ seconds_between('created_before', 'started_at') }} <= {{ threshold('complaint_link_window') }}
                and coalesce(closed_before > started_at, true)
                then case_before
            when {{ seconds_between('started_at', 'created_after') }} <= {{ threshold('complaint_link_window') }} then case_after
        end as complaint_id
    from around_case
),

alone as (
    select
        source, contact_id, customer_key, agent_id, org_unit_id, channel, is_marked_solved, answered_at, started_at,
        lag(started_at) over (partition by customer_key order by started_at, source, contact_id) as started_before
    from near_case
    where complaint_id is null and code_result = 'opens'
    union all
    select
        source, contact_id, customer_key, agent_id, org_unit_id, channel, is_marked_solved, answered_at, started_at,
        null as started_before
    from talked
    where complaint_id is null and code_result = 'opens' and (customer_key is null or ticket_id is not null)
),

alone_numbered as (
    select
        *,
        coalesce(customer_key, contact_id) as caller,
        count(*) filter (where
            started_before is null or {{ seconds_between('started_before', 'started_at') }} > {{ threshold('complaint_link_window') }}
        ) over (partition by coalesce(customer_key, contact_id) order by started_at, source, contact_id rows unbounded preceding) as run
    from alone
),

contacts as (
    select
        source, concat('ticket:', ticket_id) as contact_id, 'ticket' as contact_kind, complaint_id, customer_key, agent_id, org_unit_id, channel, complaint_rule,
        link_method, is_statement, is_marked_solved, answered_at, started_at
    from case_tickets
    union all
    select
        source, contact_id, contact_kind, complaint_id, customer_key, agent_id, org_unit_id, channel,
        case when code_result = 'opens' then 'code' else 'none' end as complaint_rule, 'ticket' as link_method, false as is_statement, is_marked_solved,
        answered_at, started_at
    from talked
    where complaint_id is not null
    union all
    select
        source, contact_id, contact_kind, complaint_id, customer_key, agent_id, org_unit_id, channel,
        case when code_result = 'opens' then 'code' else 'none' end as complaint_rule, 'same_customer' as link_method, code_result = 'opens' as is_statement,
        is_marked_solved, answered_at, started_at
    from near_case
    where complaint_id is not null
    union all
    select
        source,
        contact_id,
        'call' as contact_kind,
        concat(
            first_value(source) over (partition by caller, run order by started_at, source, contact_id), ':',
            first_value(contact_id) over (partition by caller, run order by started_at, source, contact_id)
        ) as complaint_id,
        customer_key,
        agent_id,
        org_unit_id,
        channel,
        'code' as complaint_rule,
        case when row_number() over (partition by caller, run order by started_at, source, contact_id) = 1 then 'opening' else 'same_customer' end as link_method,
        true as is_statement,
        is_marked_solved,
        answered_at,
        started_at
    from alone_numbered
)

select
    contacts.source,
    contacts.contact_id,
    contacts.contact_kind,
    contacts.complaint_id,
    contacts.customer_key,
    contacts.agent_id,
    contacts.org_unit_id,
    contacts.channel,
    contacts.complaint_rule,
    contacts.link_method,
    contacts.is_statement,
    contacts.is_marked_solved,
    contacts.answered_at,
    contacts.started_at,
    {{ local_day('contacts.started_at', 'units.time_zone') }} as started_on
from contacts
left join {{ ref('dim_org_units') }} as units on contacts.org_unit_id = units.org_unit_id
