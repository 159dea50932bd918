-- What the score found, with its cases counted; early ones are kept whatever became of them: what was seen on a day never depends on later days.
with issues as (
    select
        scores.*,
        case when scores.place not in ('company', 'unknown') then scores.place end as province_id,
        case scores.place when 'company' then 'company' when 'unknown' then 'unknown' else 'province' end as place_level
    from {{ ref('score_hot_issues') }} as scores
),

cases as (
    select
        complaints.complaint_id,
        {{ or_unknown('complaints.cause') }} as topic,
        complaints.product_line,
        units.province_id,
        complaints.is_closed,
        complaints.opened_on
    from {{ ref('fct_complaints') }} as complaints
    left join {{ ref('dim_org_units') }} as units on complaints.org_unit_id = units.org_unit_id
),

counted as (
    select
        issues.topic,
        issues.place,
        issues.product_line,
        issues.first_on,
        count(*) as complaints,
        count(*) filter (where not cases.is_closed) as open_complaints
    from issues
    inner join cases
        on
            issues.topic = cases.topic and issues.product_line = cases.product_line
            and cases.opened_on between issues.first_on - issues.window_days + 1 and issues.last_on
    where issues.place = 'company' or issues.place = {{ or_unknown('cases.province_id') }}
    group by issues.topic, issues.place, issues.product_line, issues.first_on
)

select
    concat_ws(':', issues.topic, issues.place, issues.product_line, issues.first_on) as hot_issue_id,
    issues.topic,
    issues.place_level,
    issues.province_id as org_unit_id,
    issues.product_line,
    case when issues.customers >= 2 * issues.customers_at_first then 'grew' when issues.is_running then 'running' else 'faded' end as course,
    issues.is_running,
    cast(issues.window_days as integer) as window_days,
    cast({{ days_after('issues.first_on', 'issues.last_on') }} + 1 as integer) as run_days,
    cast(issues.alarm_days as integer) as alarm_days,
    cast(issues.customers_at_first as integer) as customers_at_first,
    issues.expected_at_first,
    issues.p_value,
    issues.level as p_limit,
    cast(issues.cells_tested as integer) as cells_tested,
    cast(issues.customers as integer) as customers,
    issues.expected as expected_customers,
    cast(issues.peak_customers as integer) as peak_customers,
    cast(coalesce(counted.complaints, 0) as integer) as complaints,
    cast(coalesce(counted.open_complaints, 0) as integer) as open_complaints,
    issues.model_version,
    issues.first_on,
    issues.peak_on,
    issues.last_on,
    issues.as_of
from issues
left join counted
    on issues.topic = counted.topic and issues.place = counted.place and issues.product_line = counted.product_line and issues.first_on = counted.first_on
