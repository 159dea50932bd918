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
    product_line,
    is_human,
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
    started_at,
    next_at,
    next_on_issue_at,
    started_on
from chain
