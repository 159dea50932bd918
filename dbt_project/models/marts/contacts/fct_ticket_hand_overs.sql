{{ config(materialized='view') }}

with hand_overs as (
    select
        timeline.source,
        timeline.ticket_id,
        timeline.ticket_event_id,
        timeline.assignee_before as from_agent_id,
        timeline.assignee as to_agent_id,
        timeline.actor_id,
        {{ or_unknown('timeline.status') }} as status,
        {{ or_unknown('timeline.priority') }} as priority,
        timeline.occurred_at as handed_over_at
    from {{ ref('int_ticket_timeline') }} as timeline
    where timeline.is_hand_over
),

rostered as (
    select
        hand_overs.*,
        shifts.agent_id is not null as is_roster_known,
        abs({{ seconds_between('shifts.ended_at', 'hand_overs.handed_over_at') }}) <= {{ threshold('shift_change_margin') }} as is_near_end
    from hand_overs
    {{ join_latest(ref('int_agent_shifts'), 'shifts', ['hand_overs.from_agent_id = shifts.agent_id'], 'shifts.started_at', 'hand_overs.handed_over_at') }}
)

select
    rostered.source,
    rostered.ticket_id,
    rostered.ticket_event_id,
    rostered.from_agent_id,
    rostered.to_agent_id,
    rostered.actor_id,
    facts.org_unit_id,
    rostered.status,
    rostered.priority,
    case when rostered.is_roster_known then rostered.is_near_end end as is_shift_change,
    rostered.handed_over_at,
    {{ local_day('rostered.handed_over_at', 'units.time_zone') }} as handed_over_on
from rostered
inner join {{ ref('int_ticket_facts') }} as facts on rostered.source = facts.source and rostered.ticket_id = facts.ticket_id
left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
