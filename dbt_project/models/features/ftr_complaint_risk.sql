-- What was known of a case when it was closed (of an open one: at the newest event of its source), and whether its customer complained of the same cause again.
-- A case whose customer had complained again before the close is no longer a question.
{% set horizon = "cast(" ~ threshold('complaint_risk_days') ~ " as bigint)" %}
with cases as (
    select
        complaints.*,
        complaints.opened_at + to_seconds(complaints.seconds_to_next_same) as next_same_at,
        case when complaints.is_closed then complaints.closed_at else complaints.known_until end as judged_at
    from {{ ref('fct_complaints') }} as complaints
    where complaints.customer_key is not null and complaints.is_closed is not null and (complaints.closed_at is not null or not complaints.is_closed)
),

before as (
    select
        cases.complaint_id,
        count(*) filter (where earlier.opened_at < cases.opened_at) as complaints_before,
        count(*) filter (where earlier.opened_at < cases.opened_at and earlier.cause = cases.cause) as same_cause_before,
        count(*) filter (where earlier.opened_at > cases.opened_at) as others_since,
        max(earlier.opened_at) filter (where earlier.opened_at < cases.opened_at) as previous_at
    from cases
    inner join {{ ref('fct_complaints') }} as earlier
        on
            cases.customer_key = earlier.customer_key and cases.complaint_id <> earlier.complaint_id
            and cases.judged_at > earlier.opened_at and cases.opened_at - to_days(365) <= earlier.opened_at
    group by cases.complaint_id
),

ends as (
    select max(cast(cases.known_until as date)) as as_of from cases
)

select
    cases.complaint_id,
    cases.customer_key,
    cast(cases.judged_at as date) as judged_on,
    cases.is_closed,
    case
        when cases.is_closed and cases.judged_at + to_days({{ horizon }}) <= cases.known_until and cases.cause <> 'unknown'
            then coalesce(cases.next_same_at <= cases.judged_at + to_days({{ horizon }}), false)
    end as has_again,
    not cases.is_closed or cases.judged_at + to_days({{ horizon }}) > cases.known_until as is_current,
    cases.cause,
    cases.product_line,
    cases.channel,
    cases.customer_kind,
    cases.complaint_object,
    cases.claim_kind,
    cases.remedy_kind,
    cases.threat,
    cases.priority,
    cases.language,
    cast(cases.contacts as double) as contacts,
    cast(cases.reopen_count as double) as reopen_count,
    round({{ seconds_between('cases.opened_at', 'cases.judged_at') }} / 3600.0, 3) as hours_open,
    round({{ seconds_between('cases.opened_at', 'case when cases.first_answered_at <= cases.judged_at then cases.first_answered_at end') }} / 3600.0, 3) as hours_to_answer,
    cast(coalesce(before.complaints_before, 0) as double) as complaints_before,
    cast(coalesce(before.same_cause_before, 0) as double) as same_cause_before,
    cast(coalesce(before.others_since, 0) as double) as others_since,
    round({{ seconds_between('before.previous_at', 'cases.opened_at') }} / 86400.0, 3) as days_since_previous,
    ends.as_of
from cases
cross join ends
left join before on cases.complaint_id = before.complaint_id
where coalesce(cases.next_same_at > cases.judged_at, true)
