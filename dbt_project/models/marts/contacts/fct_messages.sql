{{ config(materialized='view') }}

-- A promise that nobody has kept is judged at the newest instant that its source tells of: broken if it was due before, else running.
-- A customer who left before it was due ended it.
with sessions as (
    select * from {{ ref('int_message_facts') }}
),

horizons as (
    select
        source,
        max(greatest(started_at, coalesce(first_human_reply_at, started_at), coalesce(ended_at, started_at))) as known_until
    from sessions
    group by source
),

enriched as (
    select
        sessions.*,
        links.customer_key,
        customers.customer_kind,
        units.time_zone,
        sessions.customer_id is not null and links.customer_key is null as is_orphan_customer,
        sessions.org_unit_id is not null and units.org_unit_id is null as is_orphan_unit,
        case
            when sessions.policy is null or sessions.is_reply_time_unknown or (sessions.clock = 'business' and sessions.is_out_of_hours is null) then null
            when sessions.replied_at is not null and (sessions.due_at is null or sessions.replied_at <= sessions.due_at) then 'met'
            when sessions.due_at < coalesce(sessions.replied_at, sessions.ended_at, horizons.known_until) then 'breached'
            when sessions.ended_at is null then 'running'
        end as promise_state
    from sessions
    inner join horizons on sessions.source = horizons.source
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(sessions.customer_source, sessions.source) = links.source and sessions.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on sessions.org_unit_id = units.org_unit_id
),

final as (
    select
        source,
        message_session_id,
        ticket_id,
        customer_id,
        customer_key,
        agent_id,
        org_unit_id,
        operational_event_id,
        schedule_id,
        {{ or_unknown('customer_kind') }} as customer_kind,
        {{ customer_tier('customer_key') }} as customer_tier,
        {{ or_unknown('channel') }} as channel,
        touch_point,
        direction,
        handled_by,
        policy,
        clock,
        promise_state,
        is_bot_ended,
        is_bot_answered,
        is_human_answered,
        is_abandoned,
        is_out_of_hours,
        is_time_doubtful,
        is_orphan_customer,
        is_orphan_unit,
        is_flagged,
        is_marked_solved,
        rounds,
        target_seconds,
        first_human_reply_seconds,
        first_human_reply_business_seconds,
        session_seconds,
        started_at,
        first_human_reply_at,
        ended_at,
        due_at,
        case when promise_state = 'breached' then due_at end as breached_at,
        {{ local_day('started_at', 'time_zone') }} as started_on
    from enriched
    {{ join_customer_tier('enriched.customer_key', local_day('enriched.started_at', 'enriched.time_zone')) }}
)

select * from final
