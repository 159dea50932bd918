{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'calls', 'via': {'call_events': ['call_id']}}},
) }}

-- A leg begins where the call enters a queue, and where another agent answers than the one before (a transfer past the queues).
-- Only few calls have more than one; theirs are found step by step, the others are one group. A call that comes without steps is one leg by its record.
with calls as (
    select
        *,
        {{ touch_point_of('call', {'source': 'source', 'said': 'lower(touch_point)', 'channel': "'phone'", 'line': 'line', 'queue': 'queue', 'org_unit': 'org_unit_id'}) }} as touch_point_of_call
    from {{ ref('int_calls') }}
    where
        _status = 'used'
        {% if is_incremental() %} and _partition_date in ({{ touched_partitions() }}) {% endif %}
),

steps as (
    select
        e.source,
        e.call_id,
        e.event_kind,
        e.agent_id,
        e.queue,
        e.value,
        e.wait_seconds,
        e.duration_seconds,
        e.occurred_at,
        e.sequence_number,
        e.call_event_id
    from {{ ref('int_call_events') }} as e
    where
        e._status = 'used' and e.call_id is not null
        and e.event_kind not in ('enter_ivr', 'node', 'exit_ivr', 'other', 'outside_call')
        {% if is_incremental() %}
        and {{ quick_hash(['e.source', 'e.call_id']) }} in (select {{ quick_hash(['c.source', 'c.call_id']) }} from calls as c)
        {% endif %}
),

walks as (
    select
        source,
        call_id,
        count(*) filter (where event_kind = 'enter_queue') > 1
        or min(agent_id) filter (where event_kind = 'answered') <> max(agent_id) filter (where event_kind = 'answered')
        or min(occurred_at) filter (where event_kind = 'answered') < min(occurred_at) filter (where event_kind = 'enter_queue') as has_several
    from steps
    group by source, call_id
    having count(*) filter (where event_kind in ('enter_queue', 'answered', 'abandoned', 'flow_out')) > 0
),

single as (
    select
        steps.*,
        1 as leg_number
    from steps
    inner join walks on steps.source = walks.source and steps.call_id = walks.call_id
    where not coalesce(walks.has_several, false)
),

entered as (
    select
        steps.*,
        count(*) filter (where steps.event_kind = 'enter_queue') over call_so_far as visit_number
    from steps
    inner join walks on steps.source = walks.source and steps.call_id = walks.call_id
    where walks.has_several
    window call_so_far as (
        partition by steps.source, steps.call_id
        order by steps.occurred_at, steps.sequence_number, steps.call_event_id
        rows unbounded preceding
    )
),

answers as (
    select
        *,
        {{ last_in_order('agent_id', "event_kind = 'answered'", 'source, call_id, visit_number', 'occurred_at, sequence_number, call_event_id', up_to='before') }} as agent_before
    from entered
),

counted as (
    select
        *,
        count(*) filter (
            where event_kind = 'enter_queue'
            or (event_kind = 'answered' and case when agent_before is null then visit_number = 0 else agent_id <> agent_before end)
        ) over (
            partition by source, call_id order by occurred_at, sequence_number, call_event_id rows unbounded preceding
        ) as leg_so_far
    from answers
),

several as (
    select
        {{ columns_without('counted', ['visit_number', 'agent_before', 'leg_so_far']) }},
        -- What an agent still does after handing the call on (wrap-up) belongs to the leg that this agent answered.
        coalesce(
            {{ last_in_order('leg_so_far', "event_kind = 'answered'", 'source, call_id, agent_id', 'occurred_at, sequence_number, call_event_id') }},
            leg_so_far
        ) as leg_number
    from counted
),

numbered as (
    select * from single
    union all by name
    select * from several
    where leg_number > 0
),

legs as (
    select
        source,
        call_id,
        leg_number,
        {{ first_value_of('queue', 'occurred_at') }} filter (where queue is not null) as queue,
        min(occurred_at) filter (where event_kind = 'enter_queue') as entered_at,
        min(occurred_at) filter (where event_kind = 'answered') as answered_at,
        min(occurred_at) filter (where event_kind = 'abandoned') as abandoned_at,
        min(occurred_at) filter (where event_kind = 'flow_out') as flowed_out_at,
        max(occurred_at) filter (where event_kind in ('completed', 'transferred')) as released_at,
        {{ first_value_of('agent_id', 'occurred_at') }} filter (where event_kind = 'answered') as agent_id,
        {{ first_value_of('value', 'occurred_at') }} filter (where event_kind = 'flow_out') as flow_out_to,
        {{ last_value_of('value', 'occurred_at') }} filter (where event_kind = 'transferred') as transferred_to,
        {{ last_value_of('value', 'occurred_at') }} filter (where event_kind = 'completed') as ended_by,
        {{ first_value_of('wait_seconds', 'occurred_at') }}
            filter (where event_kind in ('answered', 'abandoned', 'flow_out') and wait_seconds is not null) as reported_wait_seconds,
        sum(duration_seconds) filter (where event_kind in ('completed', 'transferred')) as connected_seconds,
        sum(duration_seconds) filter (where event_kind = 'resumed') as hold_seconds,
        sum(duration_seconds) filter (where event_kind = 'wrap_up') as wrap_up_seconds,
        count(*) filter (where event_kind = 'ring_no_answer') as rings_without_answer,
        count(*) filter (where event_kind = 'held') as holds,
        count(*) filter (where event_kind = 'transferred') > 0 as is_transferred,
        count(*) filter (where event_kind = 'conferenced') > 0 as is_conferenced
    from numbered
    group by source, call_id, leg_number
    having count(*) filter (where event_kind in ('enter_queue', 'answered', 'abandoned', 'flow_out')) > 0
),

ended as (
    select
        *,
        coalesce(abandoned_at, flowed_out_at) as lost_at,
        lead(coalesce(entered_at, answered_at)) over (partition by source, call_id order by leg_number) as next_began_at,
        count(answered_at) over (partition by source, call_id) as answered_legs,
        max(case when answered_at is not null then leg_number end) over (partition by source, call_id) as last_answered_leg
    from legs
),

by_steps as (
    select
        ended.source,
        ended.call_id,
        cast(ended.leg_number as integer) as leg_number,
        calls.org_unit_id,
        calls.product_line,
        calls.touch_point_of_call as touch_point,
        calls.direction,
        calls.exclusion_kind,
        coalesce(ended.queue, calls.queue) as queue,
        ended.agent_id,
        case
            when ended.answered_at is not null then 'answered'
            when ended.abandoned_at is not null then 'abandoned'
            when ended.flowed_out_at is not null then 'flow_out'
            when ended.next_began_at is not null then 'moved'
            else 'unknown'
        end as outcome,
        ended.flow_out_to,
        ended.transferred_to,
        ended.ended_by,
        ended.is_transferred,
        ended.is_conferenced,
        ended.next_began_at is null as is_last_leg,
        ended.answered_at is not null and ended.leg_number = ended.last_answered_leg as is_last_answer,
        cast(ended.answered_legs as integer) as answered_legs,
        cast(
            case
                when ended.answered_at is not null then coalesce(ended.reported_wait_seconds, {{ seconds_between('ended.entered_at', 'ended.answered_at') }})
                when ended.lost_at is not null then coalesce(ended.reported_wait_seconds, {{ seconds_between('ended.entered_at', 'ended.lost_at') }})
                else {{ seconds_between('ended.entered_at', 'ended.next_began_at') }}
            end as bigint
        ) as wait_seconds,
        cast(
            coalesce(ended.connected_seconds, {{ seconds_between('ended.answered_at', 'ended.released_at') }}) - coalesce(ended.hold_seconds, 0) as bigint
        ) as talk_seconds,
        cast(ended.hold_seconds as bigint) as hold_seconds,
        cast(ended.wrap_up_seconds as bigint) as wrap_up_seconds,
        cast(ended.rings_without_answer as integer) as rings_without_answer,
        cast(ended.rings_without_answer + case when ended.answered_at is not null then 1 else 0 end as integer) as offers,
        cast(ended.holds as integer) as holds,
        calls.started_at as call_started_at,
        coalesce(ended.entered_at, ended.answered_at, ended.lost_at) as began_at,
        ended.entered_at,
        ended.answered_at,
        coalesce(ended.answered_at, ended.lost_at, ended.next_began_at) as left_queue_at,
        ended.released_at,
        calls._partition_date
    from ended
    inner join calls on ended.source = calls.source and ended.call_id = calls.call_id
),

by_record as (
    select
        calls.source,
        calls.call_id,
        1 as leg_number,
        calls.org_unit_id,
        calls.product_line,
        calls.touch_point_of_call as touch_point,
        calls.direction,
        calls.exclusion_kind,
        calls.queue,
        case when calls.disposition = 'answered' then calls.agent_id end as agent_id,
        calls.disposition as outcome,
        cast(null as varchar) as flow_out_to,
        cast(null as varchar) as transferred_to,
        calls.ended_by,
        false as is_transferred,
        false as is_conferenced,
        true as is_last_leg,
        calls.disposition = 'answered' as is_last_answer,
        case when calls.disposition = 'answered' then 1 else 0 end as answered_legs,
        cast(calls.wait_seconds as bigint) as wait_seconds,
        cast(calls.talk_seconds as bigint) as talk_seconds,
        cast(calls.hold_seconds as bigint) as hold_seconds,
        cast(calls.wrap_up_seconds as bigint) as wrap_up_seconds,
        0 as rings_without_answer,
        case when calls.disposition = 'answered' then 1 else 0 end as offers,
        case when calls.hold_seconds > 0 then 1 else 0 end as holds,
        calls.started_at as call_started_at,
        coalesce(calls.queued_at, calls.answered_at, calls.started_at) as began_at,
        calls.queued_at as entered_at,
        calls.answered_at,
        coalesce(calls.answered_at, {{ add_seconds('calls.queued_at', 'calls.wait_seconds') }}) as left_queue_at,
        calls.ended_at as released_at,
        calls._partition_date
    from calls
    where
        calls.disposition in ('answered', 'abandoned', 'flow_out')
        and not exists (select 1 from walks where walks.source = calls.source and walks.call_id = calls.call_id)
)

select * from by_steps
union all by name
select * from by_record
