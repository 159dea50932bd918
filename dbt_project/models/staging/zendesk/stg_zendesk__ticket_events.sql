{{ config(enabled='zendesk' in var('sources')) }}

-- Two logs of one ticket: field changes and comments. Roles follow from the id at the time: an agent who left since is still an agent here.
with changes as (
    select
        concat('h', ticket_id, '|', field_name, '|', updated) as ticket_event_id,
        ticket_id,
        {{ timestamp_column('updated', 'occurred_at') }},
        2 as sequence_number,
        user_id as actor_id,
        {{ zendesk_actor_role('user_id') }} as actor_role,
        case field_name
            when 'status' then 'status'
            when 'priority' then 'priority'
            when 'assignee_id' then 'assignee'
            when 'group_id' then 'group'
            else 'field'
        end as event_kind,
        case when field_name = 'assignee_id' then {{ zendesk_agent_id('value') }} else value end as value,
        null as body,
        0 as _sub_record,
        {{ load_facts('ticket_field_history') }}
    from {{ source('zendesk', 'ticket_field_history') }}
),

comments as (
    select
        concat('c', id) as ticket_event_id,
        ticket_id,
        {{ timestamp_column('created', 'occurred_at') }},
        1 as sequence_number,
        user_id as actor_id,
        {{ zendesk_actor_role('user_id') }} as actor_role,
        {{ map_values('public', 'event_kind', {'true': 'public_reply', 'false': 'private_note'}) }},
        null as value,
        body,
        0 as _sub_record,
        {{ load_facts('ticket_comments') }}
    from {{ source('zendesk', 'ticket_comments') }}
)

select * from changes
union all
select * from comments
