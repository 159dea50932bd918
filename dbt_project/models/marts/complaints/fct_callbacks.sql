-- The feed says what was planned and what came of it; by which way it was done is seen where our own call to the customer is. What came after it is no effect of it.
with known_ids as (
    {{ tickets_of_one_source() }}
),

horizons as (
    {{ commitment_horizons() }}
),

callbacks as (
    select
        commitments.source,
        commitments.commitment_id,
        commitments.purpose,
        commitments.about_kind,
        commitments.agent_id,
        coalesce(commitments.org_unit_id, facts.org_unit_id) as org_unit_id,
        known_ids.source as ticket_source,
        case when known_ids.source is not null then commitments.about_id end as ticket_id,
        facts.product_line,
        links.customer_key,
        customers.customer_kind,
        commitments.is_control,
        commitments.attempts,
        commitments.result,
        results.is_contact,
        results.is_solved,
        commitments.made_at,
        commitments.due_at,
        commitments.done_at,
        horizons.known_until
    from {{ ref('int_commitments') }} as commitments
    inner join horizons on commitments.source = horizons.source
    left join known_ids on commitments.about_kind = 'ticket' and commitments.about_id = known_ids.ticket_id
    left join {{ ref('int_ticket_facts') }} as facts on known_ids.source = facts.source and known_ids.ticket_id = facts.ticket_id
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(commitments.customer_source, commitments.source) = links.source and commitments.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('loop_callbacks') }} as results on results.dimension = 'result' and commitments.result = results.value
    where commitments._status = 'used' and commitments.commitment_kind = 'callback'
),

-- A result that the seed does not name has reached the customer, as in the closed loop.
judged as (
    select
        callbacks.*,
        units.time_zone,
        units.province_id,
        case
            when callbacks.is_control then 'held_out'
            when callbacks.result is null and callbacks.done_at is null then 'waiting'
            when not coalesce(callbacks.is_contact, true) then 'unreached'
            when callbacks.is_solved then 'solved'
            when not callbacks.is_solved then 'unsolved'
            else 'reached'
        end as callback_outcome
    from callbacks
    left join {{ ref('dim_org_units') }} as units on callbacks.org_unit_id = units.org_unit_id
),

our_calls as (
    select
        customer_key,
        started_at
    from {{ ref('fct_calls') }}
    where direction = 'outbound' and customer_key is not null
),

dialled as (
    select distinct
        judged.source,
        judged.commitment_id
    from judged
    inner join our_calls
        on
            judged.customer_key = our_calls.customer_key
            and our_calls.started_at between judged.made_at and judged.done_at + to_seconds(cast({{ threshold('callback_call_window') }} as bigint))
    where judged.callback_outcome not in ('held_out', 'waiting')
),

calls_of_source as (
    select distinct judged.source
    from judged
    inner join dialled on judged.source = dialled.source and judged.commitment_id = dialled.commitment_id
),

reached as (
    select
        source,
        commitment_id,
        customer_key,
        done_at,
        {{ local_day('done_at', 'time_zone') }} as done_on
    from judged
    where callback_outcome in ('reached', 'solved', 'unsolved') and customer_key is not null and done_at is not null
),

shop_visits as (
    select
        contacts.customer_key,
        contacts.started_at
    from {{ ref('fct_contacts') }} as contacts
    where contacts.customer_key is not null and (contacts.channel = 'hall' or contacts.touch_point in ('own_hall', 'partner_hall'))
),

deals as (
    select
        purchases.customer_key,
        purchases.purchased_on as deal_on
    from {{ ref('fct_purchases') }} as purchases
    where purchases.customer_key is not null
    union
    select
        subscriptions.customer_key,
        subscriptions.started_on as deal_on
    from {{ ref('fct_subscriptions') }} as subscriptions
    where subscriptions.customer_key is not null and subscriptions.started_on is not null
),

visited as (
    select
        reached.*,
        shop_visits.started_at as visited_at
    from reached
    {{ join_next('shop_visits', 'shop_visits', ['reached.customer_key = shop_visits.customer_key'], 'shop_visits.started_at', 'reached.done_at', after=true) }}
),

dealt as (
    select
        visited.source,
        visited.commitment_id,
        visited.visited_at,
        deals.deal_on
    from visited
    {{ join_next('deals', 'deals', ['visited.customer_key = deals.customer_key'], 'deals.deal_on', 'visited.done_on', after=true) }}
),

ends as (
    select
        (select max(contacts.started_at) from {{ ref('fct_contacts') }} as contacts) as contacts_until,
        cast({{ threshold('callback_follow_window') }} as bigint) as follow_seconds
)

select
    judged.source,
    judged.commitment_id as callback_id,
    {{ or_unknown('judged.purpose') }} as purpose,
    {{ or_unknown('judged.about_kind') }} as about_kind,
    judged.ticket_source,
    judged.ticket_id,
    judged.customer_key,
    judged.agent_id,
    judged.org_unit_id,
    {{ or_unknown('judged.province_id') }} as province_id,
    {{ or_unknown('judged.customer_kind') }} as customer_kind,
    {{ or_unknown('judged.product_line') }} as product_line,
    case when judged.is_control then 'held_out' when judged.is_control is not null then 'drawn' else 'none' end as assignment,
    case
        when judged.callback_outcome in ('held_out', 'waiting') then 'none'
        when dialled.commitment_id is not null then 'phone'
        when calls_of_source.source is not null and judged.done_at is not null and judged.customer_key is not null then 'no_call_found'
        else 'unknown'
    end as callback_mode,
    judged.callback_outcome,
    case when judged.callback_outcome not in ('held_out', 'waiting') then judged.callback_outcome <> 'unreached' end as is_reached,
    case when judged.callback_outcome in ('solved', 'unsolved') then judged.callback_outcome = 'solved' end as is_said_solved,
    case
        when judged.callback_outcome = 'held_out' or judged.due_at is null then null
        when judged.done_at is not null then judged.done_at <= judged.due_at
        when judged.due_at <= judged.known_until then false
    end as is_done_in_time,
    coalesce(judged.callback_outcome = 'waiting' and judged.due_at <= judged.known_until, false) as is_overdue,
    cast(judged.attempts as integer) as attempts,
    case
        when dealt.commitment_id is null then null
        when {{ seconds_between('judged.done_at', 'dealt.visited_at') }} <= ends.follow_seconds then true
        when {{ seconds_between('judged.done_at', 'ends.contacts_until') }} >= ends.follow_seconds then false
    end as is_visited,
    case
        when dealt.commitment_id is null then null
        when {{ seconds_between('judged.done_at', 'cast(dealt.deal_on as timestamp)') }} <= ends.follow_seconds then true
        when {{ seconds_between('judged.done_at', 'ends.contacts_until') }} >= ends.follow_seconds then false
    end as is_deal,
    dealt.commitment_id is not null and {{ seconds_between('judged.done_at', 'ends.contacts_until') }} >= ends.follow_seconds as is_follow_final,
    judged.made_at,
    judged.due_at,
    judged.done_at,
    case when {{ seconds_between('judged.done_at', 'dealt.visited_at') }} <= ends.follow_seconds then dealt.visited_at end as visited_at,
    case when {{ seconds_between('judged.done_at', 'cast(dealt.deal_on as timestamp)') }} <= ends.follow_seconds then dealt.deal_on end as deal_on,
    judged.known_until,
    {{ local_day('judged.made_at', 'judged.time_zone') }} as made_on
from judged
cross join ends
left join dialled on judged.source = dialled.source and judged.commitment_id = dialled.commitment_id
left join calls_of_source on judged.source = calls_of_source.source
left join dealt on judged.source = dealt.source and judged.commitment_id = dealt.commitment_id
