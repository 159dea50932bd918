{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'calls', 'via': {'call_events': ['call_id']}}},
) }}

-- One call from its steps; where a source sends no steps, from the call record itself. The clock of the wait starts at the
-- first queue entry and runs to the first answer or to the loss; ring time is part of it, and a call that rang without an
-- answer and was queued again stays one call.
with calls as (
    select * from {{ ref('int_calls') }}
    where
        _status = 'used'
        {% if is_incremental() %} and _partition_date in ({{ touched_partitions() }}) {% endif %}
),

steps as (
    select
        e.source,
        e.call_id,
        min(e.occurred_at) filter (where e.event_kind = 'enter_queue') as queued_at,
        min(e.occurred_at) filter (where e.event_kind = 'answered') as answered_at,
        min(e.occurred_at) filter (where e.event_kind = 'abandoned') as abandoned_at,
        min(e.occurred_at) filter (where e.event_kind = 'flow_out') as flowed_out_at,
        arg_min(e.queue, e.occurred_at) filter (where e.event_kind = 'enter_queue') as first_queue,
        arg_max(e.agent_id, e.occurred_at) filter (where e.event_kind = 'answered') as last_agent_id,
        arg_min(e.wait_seconds, e.occurred_at) filter (where e.event_kind = 'answered' and e.wait_seconds is not null) as answered_wait_seconds,
        arg_min(e.wait_seconds, e.occurred_at) filter (where e.event_kind in ('abandoned', 'flow_out') and e.wait_seconds is not null) as lost_wait_seconds,
        cast(sum(e.duration_seconds) filter (where e.event_kind in ('completed', 'transferred')) as bigint) as connected_seconds,
        cast(sum(e.duration_seconds) filter (where e.event_kind = 'resumed') as bigint) as hold_seconds,
        cast(sum(e.duration_seconds) filter (where e.event_kind = 'wrap_up') as bigint) as wrap_up_seconds,
        cast(sum(e.duration_seconds) filter (where e.event_kind = 'exit_ivr') as bigint) as ivr_seconds,
        count(*) filter (where e.event_kind = 'ring_no_answer') as rings_without_answer,
        count(*) filter (where e.event_kind = 'enter_queue') as queue_entries,
        count(*) filter (where e.event_kind = 'transferred') as transfers,
        count(*) as events
    from {{ ref('int_call_events') }} as e
    where
        e._status = 'used'
        {% if is_incremental() %}
        and {{ quick_hash(['e.source', 'e.call_id']) }} in (select {{ quick_hash(['c.source', 'c.call_id']) }} from calls as c)
        {% endif %}
    group by e.source, e.call_id
),

joined as (
    select
        calls.*,
        coalesce(steps.queued_at, calls.queued_at) as first_queued_at,
        coalesce(steps.answered_at, calls.answered_at) as first_answered_at,
        steps.abandoned_at,
        steps.flowed_out_at,
        steps.answered_at as step_answered_at,
        steps.answered_wait_seconds,
        steps.lost_wait_seconds,
        steps.connected_seconds,
        steps.hold_seconds as step_hold_seconds,
        steps.wrap_up_seconds as step_wrap_up_seconds,
        steps.ivr_seconds as step_ivr_seconds,
        steps.first_queue,
        steps.last_agent_id,
        coalesce(steps.rings_without_answer, 0) as rings_without_answer,
        coalesce(steps.queue_entries, 0) as queue_entries,
        coalesce(steps.transfers, 0) as transfers,
        coalesce(steps.events, 0) as event_count,
        case
            when steps.answered_at is not null then 'answered'
            when steps.abandoned_at is not null then 'abandoned'
            when steps.flowed_out_at is not null then 'flow_out'
            else calls.disposition
        end as outcome
    from calls
    left join steps on calls.source = steps.source and calls.call_id = steps.call_id
)

select
    source,
    call_id,
    customer_id,
    customer_source,
    {{ normalised_phone('caller_identifier') }} as caller_phone,
    ticket_id,
    coalesce(last_agent_id, agent_id) as agent_id,
    org_unit_id,
    line,
    direction,
    {{ touch_point_of('call', {'source': 'source', 'said': 'lower(touch_point)', 'channel': "'phone'", 'line': 'line', 'queue': 'queue', 'org_unit': 'org_unit_id'}) }} as touch_point,
    coalesce(first_queue, queue) as queue,
    ivr_path,
    product_line,
    call_type,
    priority,
    outcome as disposition,
    ended_by,
    exclusion_kind,
    is_marked_solved,
    operational_event_id,
    announced_wait_seconds,
    case
        when outcome = 'answered' and step_answered_at is not null
            then coalesce(answered_wait_seconds, {{ seconds_between('first_queued_at', 'step_answered_at') }})
        when outcome in ('abandoned', 'flow_out') and coalesce(abandoned_at, flowed_out_at) is not null
            then coalesce(lost_wait_seconds, {{ seconds_between('first_queued_at', 'coalesce(abandoned_at, flowed_out_at)') }})
        else wait_seconds
    end as wait_seconds,
    coalesce(step_ivr_seconds, ivr_seconds) as ivr_seconds,
    coalesce(connected_seconds - coalesce(step_hold_seconds, 0), talk_seconds) as talk_seconds,
    coalesce(step_hold_seconds, hold_seconds) as hold_seconds,
    coalesce(step_wrap_up_seconds, wrap_up_seconds) as wrap_up_seconds,
    rings_without_answer,
    queue_entries,
    transfers,
    event_count,
    started_at,
    first_queued_at as queued_at,
    first_answered_at as answered_at,
    ended_at,
    len(_flags) > 0 as is_flagged,
    _partition_date
from joined
