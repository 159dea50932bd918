{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'messages'}},
) }}

-- One session: who handled it, the readings of its unit's clock at the first message and at the first human reply, and what was
-- promised. It says nothing of today: whether a promise is still running is read off in fct_messages.
--
-- A human reply proves a human, whatever the source counts. A reply in the very second of the first message, or after the end, is a
-- fault of a clock or an automatic text: its time is unknown.
with sessions as (
    select
        *,
        {{ touch_point_of('message', {'source': 'source', 'said': 'lower(touch_point)', 'channel': 'channel', 'org_unit': 'org_unit_id'}) }} as derived_touch_point,
        coalesce(direction, 'inbound') = 'inbound' as is_inbound,
        case
            when handled_by in ('human', 'both') then handled_by
            when first_human_reply_at is not null then case when handled_by = 'bot' then 'both' else 'human' end
            else coalesce(handled_by, 'unknown')
        end as was_handled_by,
        coalesce(first_human_reply_at <= started_at or first_human_reply_at > ended_at, false) as is_reply_time_doubtful
    from {{ ref('int_messages') }}
    where
        _status = 'used'
        {% if is_incremental() %} and _partition_date in ({{ touched_partitions() }}) {% endif %}
),

-- Who gives a session its schedule: its unit, as at the first message.
holders as (
    select distinct
        'org_unit' as assigned_to,
        coalesce(org_unit_id, '') as holder
    from sessions
),

{{ schedules_of_holders() }},

scheduled as (
    select
        sessions.*,
        holder_schedules.schedule_id,
        cast(sessions.started_at as date) as started_day,
        case when not sessions.is_reply_time_doubtful then sessions.first_human_reply_at end as replied_at
    from sessions
    left join holder_schedules
        on
            coalesce(sessions.org_unit_id, '') = holder_schedules.holder
            and sessions.started_at >= holder_schedules.begins_at
            and sessions.started_at < holder_schedules.ends_at
),

openings as (
    select * from {{ ref('int_schedule_openings') }}
),

clocked as (
    select
        scheduled.*,
        {{ open_micros('opening', 'scheduled.started_at') }} as started_micros,
        case when opening.schedule_id is not null then scheduled.started_at >= opening.closes_at end as is_out_of_hours
    from scheduled
    {{ join_latest('openings', 'opening', ['scheduled.schedule_id = opening.schedule_id'], 'opening.opens_at', 'scheduled.started_at') }}
),

-- A join to the latest row takes a missing instant for the end of time, hence the condition.
replied as (
    select
        clocked.*,
        clocked.is_inbound and (clocked.was_handled_by <> 'bot' or coalesce(clocked.is_missed, false)) as wants_people,
        case when clocked.replied_at is not null then {{ open_micros('opening', 'clocked.replied_at') }} end as replied_micros
    from clocked
    {{ join_latest('openings', 'opening', ['clocked.schedule_id = opening.schedule_id'], 'opening.opens_at', 'clocked.replied_at') }}
),

-- Which promise fits: asked once for each combination, not for each session.
promise_cases as (
    select distinct
        channel,
        derived_touch_point,
        started_day
    from scheduled
),

promises as (
    select
        cases.*,
        promises.policy,
        promises.clock,
        cast(promises.target_seconds as bigint) * 1000000 as target_micros
    from promise_cases as cases
    inner join {{ ref('message_promises') }} as promises
        on
            cases.started_day between coalesce(promises.valid_from, date '1900-01-01') and coalesce(promises.valid_to, date '9999-12-31')
            and (promises.channels is null or {{ is_listed('cases.channel', 'promises.channels') }})
            and (promises.touch_points is null or {{ is_listed('cases.derived_touch_point', 'promises.touch_points') }})
    qualify row_number() over (partition by cases.channel, cases.derived_touch_point, cases.started_day order by promises.precedence) = 1
),

-- A promise is made to a customer who wants people: a session that ended with the bot has none.
promised as (
    select
        replied.*,
        case when replied.wants_people then promises.policy end as policy,
        case when replied.wants_people then promises.clock end as clock,
        case when replied.wants_people then promises.target_micros end as target_micros,
        case when replied.wants_people then replied.started_micros + promises.target_micros end as due_micros
    from replied
    left join promises
        on
            replied.channel is not distinct from promises.channel
            and replied.derived_touch_point = promises.derived_touch_point
            and replied.started_day = promises.started_day
),

opened as (
    select * from openings
    where closes_at > opens_at
),

-- The last instant at which no more than the target is spent: where it is spent at the end of a day, the next morning's opening.
due as (
    select
        promised.*,
        case
            when promised.clock = 'calendar' then {{ from_epoch_micros(epoch_micros('promised.started_at') ~ ' + promised.target_micros') }}
            when {{ epoch_micros('opened.opens_at') }} + promised.due_micros - opened.open_before_micros < {{ epoch_micros('opened.closes_at') }}
                then {{ from_epoch_micros(epoch_micros('opened.opens_at') ~ ' + promised.due_micros - opened.open_before_micros') }}
        end as due_at
    from promised
    {{ join_latest('opened', 'opened', ['promised.schedule_id = opened.schedule_id'], 'opened.open_before_micros', 'promised.due_micros') }}
),

final as (
    select
        source,
        message_session_id,
        ticket_id,
        customer_id,
        customer_source,
        agent_id,
        org_unit_id,
        operational_event_id,
        schedule_id,
        channel,
        derived_touch_point as touch_point,
        coalesce(direction, 'inbound') as direction,
        was_handled_by as handled_by,
        policy,
        clock,
        is_inbound and was_handled_by = 'bot' and not coalesce(is_missed, false) as is_bot_ended,
        is_inbound and was_handled_by in ('bot', 'both') as is_bot_answered,
        is_inbound and was_handled_by in ('human', 'both') as is_human_answered,
        is_inbound and was_handled_by not in ('human', 'both') and (coalesce(is_missed, false) or (was_handled_by = 'nobody' and ended_at is not null)) as is_abandoned,
        is_out_of_hours,
        is_reply_time_doubtful or coalesce(ended_at <= started_at, false) as is_time_doubtful,
        is_marked_solved,
        rounds,
        cast(target_micros / 1000000 as bigint) as target_seconds,
        {{ seconds_between('started_at', 'replied_at') }} as first_human_reply_seconds,
        {{ whole_seconds('replied_micros - started_micros') }} as first_human_reply_business_seconds,
        case when ended_at > started_at then {{ seconds_between('started_at', 'ended_at') }} end as session_seconds,
        replied_at is null and (first_human_reply_at is not null or was_handled_by in ('human', 'both')) as is_reply_time_unknown,
        started_at,
        first_human_reply_at,
        replied_at,
        ended_at,
        due_at,
        len(_flags) > 0 as is_flagged,
        _partition_date
    from due
)

select * from final
