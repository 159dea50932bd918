{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'calls', 'via': {'call_events': ['call_id']}}},
) }}

-- A caller's way through the voice menu, node by node. What came of the last node is read off the call: it reached a queue or an agent, the caller was
-- served by the menu, or hung up.
with calls as (
    select
        source,
        call_id,
        org_unit_id,
        product_line,
        touch_point,
        direction,
        exclusion_kind,
        disposition,
        queue_entries,
        answered_at,
        ended_at,
        started_at,
        _partition_date
    from {{ ref('int_call_facts') }}
    {% if is_incremental() %} where _partition_date in ({{ touched_partitions() }}) {% endif %}
),

steps as (
    select
        e.source,
        e.call_id,
        e.event_kind,
        e.value as node,
        e.occurred_at,
        e.sequence_number,
        e.call_event_id
    from {{ ref('int_call_events') }} as e
    where
        e._status = 'used' and e.event_kind in ('node', 'exit_ivr')
        {% if is_incremental() %}
        and {{ quick_hash(['e.source', 'e.call_id']) }} in (select {{ quick_hash(['c.source', 'c.call_id']) }} from calls as c)
        {% endif %}
),

ordered as (
    select
        *,
        count(*) filter (where event_kind = 'node') over (way rows unbounded preceding) as node_number,
        lead(occurred_at) over way as next_at,
        lead(event_kind) over way as next_kind
    from steps
    window way as (partition by source, call_id order by occurred_at, sequence_number, call_event_id)
)

select
    ordered.source,
    ordered.call_id,
    cast(ordered.node_number as integer) as node_number,
    {{ or_unknown('ordered.node') }} as node,
    calls.org_unit_id,
    calls.product_line,
    calls.touch_point,
    calls.direction,
    calls.exclusion_kind,
    case
        when ordered.next_kind = 'node' then 'next_node'
        when calls.queue_entries > 0 or calls.answered_at is not null then 'to_agent'
        when calls.disposition = 'contained' then 'served'
        else 'hung_up'
    end as outcome,
    cast({{ seconds_between('ordered.occurred_at', 'coalesce(ordered.next_at, calls.ended_at)') }} as integer) as node_seconds,
    ordered.occurred_at as entered_at,
    calls._partition_date
from ordered
inner join calls on ordered.source = calls.source and ordered.call_id = calls.call_id
where ordered.event_kind = 'node'
