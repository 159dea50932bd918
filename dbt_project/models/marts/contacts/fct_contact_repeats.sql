{{ config(materialized='view') }}

{%- set windows = {'24h': 86400, '48h': 172800, '72h': 259200, '7d': 604800, '30d': 2592000} %}

-- A window that reaches past what the source has sent is not final: its contacts are in neither part of a rate.
with chain as (
    select
        *,
        {{ seconds_between('started_at', 'known_until') }} as known_seconds,
        {{ seconds_between('started_at', 'next_at') }} as seconds_to_next,
        {{ seconds_between('started_at', 'next_on_issue_at') }} as seconds_to_next_on_issue
    from {{ ref('int_contact_chain') }}
),

-- Changes of channel by issue. Few contacts are one, so that only they meet the openings.
switches as (
    select
        openings.customer_key,
        openings.issue_key,
        count(*) as channel_changes,
        count(*) filter (where {{ seconds_between('openings.started_at', 'followers.started_at') }} <= {{ windows['7d'] }}) as channel_changes_7d
    from {{ ref('int_contact_chain') }} as openings
    inner join {{ ref('int_contact_chain') }} as followers on openings.customer_key = followers.customer_key and openings.issue_key = followers.issue_key
    where openings.is_opening and followers.channel_before <> followers.channel
    group by openings.customer_key, openings.issue_key
),

final as (
    select
        chain.*,
        case when chain.is_opening then coalesce(switches.channel_changes, 0) end as issue_channel_changes,
        case when chain.is_opening and chain.known_seconds >= {{ windows['7d'] }} then coalesce(switches.channel_changes_7d, 0) end as issue_channel_changes_7d
    from chain
    left join switches
        on chain.customer_key = switches.customer_key and chain.issue_key = switches.issue_key
)

select
    source,
    contact_id,
    contact_kind,
    customer_key,
    agent_id,
    org_unit_id,
    customer_kind,
    channel,
    touch_point,
    coalesce(channel_before, 'none') as channel_before,
    product_line,
    ticket_kind,
    is_human,
    is_bot_answered,
    is_opening,
    is_marked_solved,
    is_in_level_one_scope,
    channel_before is not null and channel_before <> channel as is_channel_switch,
    {%- for window, seconds in windows.items() %}
    known_seconds >= {{ seconds }} as is_final_{{ window }},
    known_seconds >= {{ seconds }} and coalesce(seconds_to_next <= {{ seconds }}, false) as is_repeated_{{ window }},
    known_seconds >= {{ seconds }} and coalesce(seconds_to_next_on_issue <= {{ seconds }}, false) as is_repeated_on_issue_{{ window }},
    {%- endfor %}
    seconds_to_next,
    seconds_to_next_on_issue,
    cast(issue_channel_changes as integer) as issue_channel_changes,
    cast(issue_channel_changes_7d as integer) as issue_channel_changes_7d,
    started_at,
    next_at,
    next_on_issue_at,
    started_on
from final
