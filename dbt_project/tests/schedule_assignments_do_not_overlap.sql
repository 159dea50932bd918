-- Two lines of one pattern that hold on the same day: nobody could say which counts. The build stops with both of them in its message.
{% set message %}concat('schedule_assignments.csv: the lines "', line, '" and "', other_line, '" hold on the same days.'){% endset %}
with numbered as (
    select
        *,
        row_number() over (order by assigned_to, pattern, valid_from nulls first, valid_to nulls last, schedule_id) as line_number,
        concat_ws(',', assigned_to, pattern, schedule_id, coalesce(cast(valid_from as varchar), ''), coalesce(cast(valid_to as varchar), '')) as line
    from {{ ref('schedule_assignments') }}
),

doubled as (
    select
        one.line as line,
        other.line as other_line
    from numbered as one
    inner join numbered as other
        on
            one.assigned_to = other.assigned_to
            and one.pattern = other.pattern
            and one.line_number < other.line_number
            and coalesce(one.valid_from, date '0001-01-01') <= coalesce(other.valid_to, date '9999-12-31')
            and coalesce(other.valid_from, date '0001-01-01') <= coalesce(one.valid_to, date '9999-12-31')
)

select
    line,
    other_line
from doubled
where {{ refused_with(message) }}
