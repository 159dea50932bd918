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

notes as (
    select
        source,
        ticket_id,
        actor_id,
        occurred_at
    from {{ ref('int_ticket_timeline') }}
    where event_kind = 'private_note' and coalesce(actor_role, 'agent') = 'agent'
),

noted as (
    select
        hand_overs.source,
        hand_overs.ticket_event_id,
        coalesce(bool_or(notes.actor_id = hand_overs.from_agent_id), false) as is_by_giver,
        bool_or(notes.actor_id is null) as is_by_somebody
    from hand_overs
    inner join notes
        on
            hand_overs.source = notes.source
            and hand_overs.ticket_id = notes.ticket_id
            and abs({{ seconds_between('hand_overs.handed_over_at', 'notes.occurred_at') }}) <= {{ threshold('hand_over_note_margin') }}
    group by hand_overs.source, hand_overs.ticket_event_id
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
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    {{ or_unknown('facts.channel') }} as channel,
    facts.touch_point,
    {{ or_unknown('facts.product_line') }} as product_line,
    {{ or_unknown('facts.ticket_kind') }} as ticket_kind,
    rostered.status,
    rostered.priority,
    facts.is_in_base,
    case when rostered.is_roster_known then rostered.is_near_end end as is_shift_change,
    -- Unknown where nobody can say: the note has no author, or the source sends no notes at all.
    case
        when noted.is_by_giver then true
        when coalesce(noted.is_by_somebody, false) or rostered.source not in (select notes.source from notes) then null
        else false
    end as has_note,
    rostered.handed_over_at,
    {{ local_day('rostered.handed_over_at', 'units.time_zone') }} as handed_over_on
from rostered
inner join {{ ref('int_ticket_facts') }} as facts on rostered.source = facts.source and rostered.ticket_id = facts.ticket_id
left join noted on rostered.source = noted.source and rostered.ticket_event_id = noted.ticket_event_id
left join {{ ref('dim_customer_links') }} as links
    on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
