-- Contacts of identified customers in their order, over all channels and systems; calls that ended in the voice menu and message sessions that ended
-- with a bot stand in it too, but no contact with people follows "by" them. It is made anew each night: a merge of two customers joins contacts of any age.
--
-- The issue of a contact is its ticket; contacts without one are one issue as long as no more than `issue_gap` lies between them.
with contacts as (
    select
        source,
        contact_id,
        contact_kind,
        issue_id,
        customer_key,
        customer_kind,
        agent_id,
        org_unit_id,
        channel,
        touch_point,
        product_line,
        is_marked_solved,
        is_in_level_one_scope,
        ticket_kind,
        started_at,
        started_on,
        is_human,
        is_bot_answered
    from {{ ref('fct_contacts') }}
    where customer_key is not null
),

in_the_menu as (
    select
        source,
        concat('call:', call_id) as contact_id,
        'self_service' as contact_kind,
        cast(null as varchar) as issue_id,
        customer_key,
        customer_kind,
        agent_id,
        org_unit_id,
        channel,
        touch_point,
        product_line,
        cast(null as boolean) as is_marked_solved,
        true as is_in_level_one_scope,
        'unknown' as ticket_kind,
        started_at,
        started_on,
        false as is_human,
        false as is_bot_answered
    from {{ ref('fct_calls') }}
    where customer_key is not null and is_in_base and (is_contained or is_abandoned_in_ivr)
),

together as (
    select * from contacts
    union all
    select * from in_the_menu
),

horizons as (
    select
        source,
        max(started_at) as known_until
    from together
    group by source
),

ordered as (
    select
        *,
        lead(case when is_human then started_at end ignore nulls) over sequence as next_at,
        {{ last_in_order('started_at', 'is_human and issue_id is null', 'customer_key', 'started_at, source, contact_id', up_to='before') }} as loose_before_at
    from together
    window sequence as (partition by customer_key order by started_at, source, contact_id)
),

issues as (
    select
        *,
        case
            when not is_human then null
            when issue_id is not null then concat('ticket ', issue_id)
            else concat('run ', cast(count(*) filter (
                where is_human and issue_id is null
                and (loose_before_at is null or {{ seconds_between('loose_before_at', 'started_at') }} > {{ threshold('issue_gap') }})
            ) over (partition by customer_key order by started_at, source, contact_id rows unbounded preceding) as varchar))
        end as issue_key
    from ordered
),

final as (
    select
        issues.source,
        issues.contact_id,
        issues.contact_kind,
        issues.customer_key,
        issues.customer_kind,
        issues.agent_id,
        issues.org_unit_id,
        issues.channel,
        issues.touch_point,
        issues.product_line,
        issues.is_marked_solved,
        issues.is_in_level_one_scope,
        issues.ticket_kind,
        issues.issue_key,
        issues.is_human,
        issues.is_bot_answered,
        issues.issue_key is not null and row_number() over by_issue = 1 as is_opening,
        case when issues.issue_key is not null then lag(issues.channel) over by_issue end as channel_before,
        issues.started_at,
        issues.started_on,
        issues.next_at,
        case when issues.issue_key is not null then lead(issues.started_at) over by_issue end as next_on_issue_at,
        horizons.known_until
    from issues
    inner join horizons on issues.source = horizons.source
    window by_issue as (partition by issues.customer_key, issues.issue_key order by issues.started_at, issues.source, issues.contact_id)
)

select * from final
