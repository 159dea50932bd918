{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'tickets', 'via': {'ticket_events': ['ticket_id']}}},
) }}

-- What happened on a ticket, by its steps (int_ticket_timeline). A span is the difference of two readings of a clock: of the calendar
-- or of the ticket's business time. The time in a set of statuses is the readings on leaving it minus those on entering it.
{% set moment = record(['occurred_at', 'happened_at', 'business_micros', 'schedule_id', 'priority']) %}
{% set waits = {'work': "('new', 'open')", 'hold': "('hold')", 'agent_wait': "('pending')"} %}
{% set clocks = {'': epoch_micros('happened_at'), 'business_': 'business_micros'} %}
{% set spans = ['first_reply', 'first_resolution', 'full_resolution'] %}
with tickets as (
    select * from {{ ref('int_tickets') }}
    where
        _status = 'used'
        {% if is_incremental() %} and _partition_date in ({{ touched_partitions() }}) {% endif %}
),

timeline as (
    select
        steps.*,
        event_kind = 'status' or step_number = 0 as is_status_step
    from {{ ref('int_ticket_timeline') }} as steps
    {% if is_incremental() %}
    where _partition_date in ({{ touched_partitions() }})
    {% endif %}
),

lives as (
    select
        source,
        ticket_id,
        {{ first_value_of(moment, 'step_number') }} filter (where step_number = 0) as creation,
        {{ first_value_of(moment, 'step_number') }} filter (where speaker = 'agent') as first_reply,
        {{ first_value_of(moment, 'step_number') }} filter (where is_solution) as first_resolution,
        {{ last_value_of(moment, 'step_number') }} filter (where is_solution) as full_resolution,
        {{ last_value_of(moment, 'step_number') }} filter (where begins_turn) as last_turn,
        {{ last_value_of('status', 'step_number') }} filter (where status is not null) as status,
        {{ last_value_of('value', 'step_number') }} filter (where event_kind = 'merge' and value is not null) as merged_into_ticket_id,
        coalesce(bool_or(event_kind = 'merge'), false) as is_merged_away,
        count(*) filter (where event_kind = 'status' and ticket_event_id is not null) as status_events,
        count(*) filter (where is_reopening) as reopen_count,
        count(*) filter (where is_schedule_move) as schedule_moves,
        count(*) filter (where is_hand_over) as hand_overs,
        coalesce(bool_or(assignee is not null), false) as was_assigned,
        count(*) filter (where speaker = 'agent') as public_agent_replies,
        count(*) filter (where event_kind = 'public_reply' and actor_role = 'customer') as customer_messages,
        count(*) filter (where begins_turn) as customer_turns,
        count(*) filter (where ends_turn) as answered_turns,
        count(*) filter (where ends_turn and business_micros is null) as untimed_answers,
        count(ticket_event_id) as events,
        max(occurred_at) filter (where ticket_event_id is not null) as last_event_at,
        {%- for clock, reading in clocks.items() %}
        sum({{ reading }}) filter (where ends_turn) - sum({{ reading }}) filter (where begins_turn) as {{ clock }}turn_micros,
        {%- for wait, statuses in waits.items() %}
        sum(
            case when coalesce(status_before in {{ statuses }}, false) then {{ reading }} else 0 end
            - case when coalesce(status in {{ statuses }}, false) then {{ reading }} else 0 end
        ) filter (where is_status_step) as {{ clock }}{{ wait }}_micros{{ ',' if not (loop.last and clock == 'business_') }}
        {%- endfor %}
        {%- endfor %}
    from timeline
    group by source, ticket_id
),

first_hand_overs as (
    select
        source,
        ticket_id,
        min(step_number) as step_number,
        min(happened_at) as first_handed_over_at
    from timeline
    where is_hand_over
    group by source, ticket_id
),

hand_over_facts as (
    select
        timeline.source,
        timeline.ticket_id,
        first_hand_overs.first_handed_over_at,
        min(timeline.happened_at) filter (where timeline.speaker = 'agent') as reply_after_hand_over_at,
        max(timeline.happened_at) filter (where timeline.is_solution) as solved_after_hand_over_at,
        count(*) filter (where timeline.is_reopening) as reopens_after_hand_over
    from timeline
    inner join first_hand_overs on timeline.source = first_hand_overs.source and timeline.ticket_id = first_hand_overs.ticket_id
    where timeline.step_number >= first_hand_overs.step_number
    group by timeline.source, timeline.ticket_id, first_hand_overs.first_handed_over_at
),

-- A span by one schedule from end to end, that of the creation or that of the deciding event: the same as by all schedules unless
-- the ticket moved.
one_schedule_spans as (
    {%- for span in spans %}
    {%- for rule, owner in {'first': 'creation', 'last': span}.items() %}
    select
        source,
        ticket_id,
        '{{ span }}_{{ rule }}' as span_rule,
        {{ owner }}.schedule_id as schedule_id,
        creation.happened_at as began_at,
        {{ span }}.happened_at as ended_at
    from lives
    where schedule_moves > 0 and {{ span }} is not null
    {{ 'union all' if not (loop.last and span == spans[-1]) }}
    {%- endfor %}
    {%- endfor %}
),

one_schedule_ends as (
    select
        spans.*,
        {{ open_micros('opening', 'spans.ended_at') }} as end_micros
    from one_schedule_spans as spans
    {{ join_latest(ref('int_schedule_openings'), 'opening', ['spans.schedule_id = opening.schedule_id'], 'opening.opens_at', 'spans.ended_at') }}
),

one_schedule_times as (
    select
        spans.source,
        spans.ticket_id,
        spans.span_rule,
        spans.end_micros - {{ open_micros('opening', 'spans.began_at') }} as span_micros
    from one_schedule_ends as spans
    {{ join_latest(ref('int_schedule_openings'), 'opening', ['spans.schedule_id = opening.schedule_id'], 'opening.opens_at', 'spans.began_at') }}
),

one_schedule_facts as (
    select
        source,
        ticket_id
        {%- for span in spans %}
        {%- for rule in ['first', 'last'] %},
        max(span_micros) filter (where span_rule = '{{ span }}_{{ rule }}') as {{ span }}_{{ rule }}_micros
        {%- endfor %}
        {%- endfor %}
    from one_schedule_times
    group by source, ticket_id
),

judged as (
    select
        tickets.*,
        {{ columns_without('lives', ['source', 'ticket_id', 'merged_into_ticket_id']) }},
        {{ columns_without('one_schedule_facts', ['source', 'ticket_id']) }},
        {{ columns_without('hand_over_facts', ['source', 'ticket_id']) }},
        coalesce(tickets.merged_into_ticket_id, lives.merged_into_ticket_id) as surviving_ticket_id,
        coalesce(lives.status, tickets.ticket_status) as lifecycle_status,
        coalesce(lives.status, tickets.ticket_status) in ('solved', 'closed') as is_done
    from tickets
    inner join lives on tickets.source = lives.source and tickets.ticket_id = lives.ticket_id
    left join one_schedule_facts on tickets.source = one_schedule_facts.source and tickets.ticket_id = one_schedule_facts.ticket_id
    left join hand_over_facts on tickets.source = hand_over_facts.source and tickets.ticket_id = hand_over_facts.ticket_id
)

select
    source,
    ticket_id,
    customer_id,
    customer_source,
    account_id,
    agent_id,
    org_unit_id,
    surviving_ticket_id as merged_into_ticket_id,
    creation.schedule_id as schedule_id,
    channel,
    {{ touch_point_of('ticket', {'source': 'source', 'said': 'lower(touch_point)', 'channel': 'channel', 'org_unit': 'org_unit_id'}) }} as touch_point,
    ticket_kind,
    topic,
    subtopic,
    product_line,
    asset_id,
    asset_kind,
    fault_code,
    priority,
    creation.priority as priority_at_creation,
    first_reply.priority as priority_at_first_reply,
    first_resolution.priority as priority_at_first_resolution,
    ticket_status,
    lifecycle_status,
    language,
    resolution_code,
    is_marked_solved,
    coalesce(exclusion_kind, case when is_merged_away then 'merged' end) as exclusion_kind,
    exclusion_kind is null and not is_merged_away and coalesce(ticket_status, '') <> 'deleted' and coalesce(lifecycle_status, '') <> 'deleted' as is_in_base,
    reported_reopen_count,
    reported_sla_met,
    created_at,
    due_at,
    first_reply.occurred_at as first_public_reply_at,
    first_resolution.occurred_at as first_solved_at,
    full_resolution.occurred_at as last_solved_at,
    case when status_events > 0 then reopen_count else coalesce(reported_reopen_count, 0) end as reopen_count,
    public_agent_replies,
    customer_messages,
    customer_turns,
    answered_turns,
    hand_overs,
    was_assigned,
    first_handed_over_at,
    coalesce(reopens_after_hand_over, 0) as reopens_after_hand_over,
    case when reply_after_hand_over_at is not null then {{ whole_seconds(epoch_micros('reply_after_hand_over_at') ~ ' - ' ~ epoch_micros('first_handed_over_at')) }} end
        as reply_after_hand_over_seconds,
    case when is_done and solved_after_hand_over_at is not null then {{ whole_seconds(epoch_micros('solved_after_hand_over_at') ~ ' - ' ~ epoch_micros('first_handed_over_at')) }} end
        as resolution_after_hand_over_seconds,
    schedule_moves,
    events as event_count,
    {{ whole_seconds('turn_micros + case when customer_turns > answered_turns then ' ~ epoch_micros('last_turn.happened_at') ~ ' else 0 end') }} as total_reply_seconds,
    case
        when untimed_answers = 0
            then {{ whole_seconds('business_turn_micros + case when customer_turns > answered_turns then coalesce(last_turn.business_micros, 0) else 0 end') }}
    end as total_reply_business_seconds,
    {%- for span in spans %}
    {%- set holds = span ~ '.occurred_at >= created_at' ~ (' and is_done' if span == 'full_resolution' else '') %}
    case when {{ holds }} then {{ whole_seconds(span ~ '.business_micros - creation.business_micros') }} end as {{ span }}_business_seconds,
    {%- for rule in ['last', 'first'] %}
    case
        when {{ holds }}
            then {{ whole_seconds('case when schedule_moves > 0 then ' ~ span ~ '_' ~ rule ~ '_micros else ' ~ span ~ '.business_micros - creation.business_micros end') }}
    end as {{ span }}_business_seconds_by_{{ rule }}_schedule,
    {%- endfor %}
    {%- endfor %}
    {%- for clock in clocks %}
    {%- set holds = 'status_events > 0 and is_done and full_resolution.occurred_at >= created_at' ~ (' and full_resolution.business_micros is not null' if clock else '') %}
    case when {{ holds }} then {{ whole_seconds(clock ~ 'work_micros + ' ~ clock ~ 'hold_micros') }} end as requester_wait_{{ clock }}seconds,
    {%- for wait in waits %}
    case when {{ holds }} then {{ whole_seconds(clock ~ wait ~ '_micros') }} end as {{ wait }}_{{ clock }}seconds,
    {%- endfor %}
    {%- endfor %}
    last_event_at,
    len(_flags) > 0 as is_flagged,
    _partition_date
from judged
