{#- Which schedule a unit or a group gives, and when: its own line of seeds/schedule_assignments.csv, else the longest beginning of its
    id. A line begins at midnight in the zone of its schedule, and ends where the line that follows it begins.

    CTEs, to stand in a `with` after `holders` (assigned_to: org_unit or group; holder: its id, '' = none); the last of them is
    `holder_schedules` (assigned_to, holder, begins_at, ends_at, schedule_id). -#}
{% macro schedules_of_holders() -%}
schedule_zones as (
    select
        schedule_id,
        min(time_zone) as time_zone
    from {{ ref('schedules') }}
    group by schedule_id
),

assignment_days as (
    select
        assignments.assigned_to,
        assignments.pattern,
        assignments.schedule_id,
        assignments.valid_from,
        assignments.valid_to,
        coalesce({{ wall_clock_to_utc('cast(assignments.valid_from as timestamp)', 'zones.time_zone') }}, timestamp '1900-01-01 00:00:00') as begins_at,
        coalesce({{ wall_clock_to_utc('cast(assignments.valid_to + 1 as timestamp)', 'zones.time_zone') }}, timestamp '9999-12-31 00:00:00') as ends_at
    from {{ ref('schedule_assignments') }} as assignments
    left join schedule_zones as zones on assignments.schedule_id = zones.schedule_id
),

assignments as (
    select
        assigned_to,
        pattern,
        schedule_id,
        begins_at,
        case
            when lead(valid_from) over (partition by assigned_to, pattern order by begins_at) = valid_to + 1
                then lead(begins_at) over (partition by assigned_to, pattern order by begins_at)
            else ends_at
        end as ends_at
    from assignment_days
),

holder_lines as (
    select
        holders.assigned_to,
        holders.holder,
        holders.holder = assignments.pattern as is_exact,
        length(assignments.pattern) as pattern_length,
        assignments.schedule_id,
        assignments.begins_at,
        assignments.ends_at
    from holders
    inner join assignments
        on
            holders.assigned_to = assignments.assigned_to
            and (
                holders.holder = assignments.pattern
                or (assignments.pattern like '%*' and starts_with(holders.holder, left(assignments.pattern, length(assignments.pattern) - 1)))
            )
),

holder_changes as (
    select
        assigned_to,
        holder,
        begins_at as changes_at
    from holder_lines
    union distinct
    select
        assigned_to,
        holder,
        ends_at as changes_at
    from holder_lines
),

holder_times as (
    select
        assigned_to,
        holder,
        changes_at as begins_at,
        lead(changes_at) over (partition by assigned_to, holder order by changes_at) as ends_at
    from holder_changes
),

holder_schedules as (
    select
        times.assigned_to,
        times.holder,
        times.begins_at,
        times.ends_at,
        holder_lines.schedule_id
    from holder_times as times
    inner join holder_lines
        on
            times.assigned_to = holder_lines.assigned_to
            and times.holder = holder_lines.holder
            and times.begins_at >= holder_lines.begins_at
            and times.ends_at <= holder_lines.ends_at
    qualify row_number() over (
        partition by times.assigned_to, times.holder, times.begins_at
        order by holder_lines.is_exact desc, holder_lines.pattern_length desc, holder_lines.schedule_id asc
    ) = 1
)
{%- endmacro %}
