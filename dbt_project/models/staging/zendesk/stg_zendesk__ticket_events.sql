{{ config(enabled='zendesk' in var('sources'), meta={'lookups': ['zendesk.groups']}) }}

-- Two logs of one ticket: field changes and comments. Roles follow from the id at the time: an agent who left since is still an
-- agent here. A voice comment is the ticket's own record of the call it came from, no reply.
with groups as (
    {{ newest_rows(source('zendesk', 'groups'), ['id']) }}
),

changes as (
    select
        concat('h', history.ticket_id, '|', history.field_name, '|', history.updated) as ticket_event_id,
        history.ticket_id,
        {{ timestamp_column('history.updated', 'occurred_at') }},
        history._record_number + 1 as sequence_number,
        {{ zendesk_actor_id('history.user_id') }} as actor_id,
        {{ zendesk_actor_role('history.user_id') }} as actor_role,
        case history.field_name
            when 'status' then 'status'
            when 'priority' then 'priority'
            when 'assignee_id' then 'assignee'
            when 'group_id' then 'group'
            when 'schedule_id' then 'schedule'
            else {{ zendesk_work_kind('history.field_name', 'history.value') }}
        end as event_kind,
        case history.field_name
            when 'assignee_id' then {{ zendesk_actor_id('history.value') }}
            when 'group_id' then coalesce(groups.description, history.value)
            when 'status' then history.value
            when 'priority' then history.value
            when 'schedule_id' then history.value
            when 'custom_visit' then {{ zendesk_visit_stage('history.value') }}
            when 'custom_appointment' then nullif(split_part(history.value, '_', 4), '')
            else case
                when {{ zendesk_work_kind('history.field_name', 'history.value') }} in ('department_asked', 'department_answered')
                    then replace(history.field_name, 'custom_department_', '')
                else concat(history.field_name, '=', history.value)
            end
        end as value,
        case when history.field_name in ('custom_visit', 'custom_appointment') then split_part(history.value, '_', 2) end as visit_id,
        {{ timestamp_column(zendesk_window('history', 1), 'window_from') }},
        {{ timestamp_column(zendesk_window('history', 2), 'window_until') }},
        null as body,
        {{ load_facts('ticket_field_history', 'history') }}
    from {{ source('zendesk', 'ticket_field_history') }} as history
    left join groups on history.value = groups.id
),

comments as (
    select
        concat('c', id) as ticket_event_id,
        ticket_id,
        {{ timestamp_column('created', 'occurred_at') }},
        1 as sequence_number,
        {{ zendesk_actor_id('user_id') }} as actor_id,
        {{ zendesk_actor_role('user_id') }} as actor_role,
        case
            when lower(trim(voice_comment)) = 'true' then 'created'
            when lower(trim(public)) = 'true' then 'public_reply'
            when lower(trim(public)) = 'false' then 'private_note'
            else public
        end as event_kind,
        null as value,
        null as visit_id,
        {{ timestamp_column('cast(null as varchar)', 'window_from') }},
        {{ timestamp_column('cast(null as varchar)', 'window_until') }},
        body,
        {{ load_facts('ticket_comments') }}
    from {{ source('zendesk', 'ticket_comments') }}
),

final as (
    select * from changes
    union all
    select * from comments
)

select * from final
