{{ config(materialized='view') }}

-- Who was first: our notice of a trouble or the customer's first contact on it. A notice that comes when the customer has been in touch
-- about the trouble already is late: it begins nothing. One that is not late begins the customer's next problem within `notice_window`,
-- if there is one, and is a problem contact of its own if there is none.
with operational_events as (
    select
        operational_event_id,
        min(product_line) as product_line,
        min(started_at) as started_at
    from {{ ref('int_operational_events') }}
    where _status = 'used'
    group by operational_event_id
    having count(*) = 1
),

called as (
    select
        source,
        concat('call:', call_id) as notice_id,
        'call' as notice_kind,
        customer_key,
        customer_kind,
        org_unit_id,
        channel,
        touch_point,
        operational_event_id,
        started_at as noticed_at
    from {{ ref('fct_calls') }}
    where direction = 'outbound' and disposition = 'answered' and exclusion_kind is null and operational_event_id is not null
),

messaged as (
    select
        source,
        concat('message:', message_session_id) as notice_id,
        'message' as notice_kind,
        customer_key,
        customer_kind,
        org_unit_id,
        channel,
        touch_point,
        operational_event_id,
        started_at as noticed_at
    from {{ ref('fct_messages') }}
    where direction = 'outbound' and operational_event_id is not null
),

acted as (
    select
        actions.source,
        concat('action:', actions.action_id) as notice_id,
        'action' as notice_kind,
        links.customer_key,
        {{ or_unknown('customers.customer_kind') }} as customer_kind,
        actions.org_unit_id,
        'unknown' as channel,
        'unknown' as touch_point,
        actions.operational_event_id,
        actions.occurred_at as noticed_at
    from {{ ref('int_customer_actions') }} as actions
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(actions.customer_source, actions.source) = links.source and actions.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    where
        actions._status = 'used'
        and not coalesce(actions.is_control, false)
        and (actions.action_kind = 'notice' or (actions.action_kind = 'care' and actions.operational_event_id is not null))
),

notices as (
    select * from called
    union all
    select * from messaged
    union all
    select * from acted
),

-- Told twice of one trouble is told once.
first_notices as (
    select
        notices.*,
        operational_events.product_line,
        coalesce(operational_events.started_at, {{ add_seconds('notices.noticed_at', '-cast(' ~ threshold('notice_window') ~ ' as bigint)') }}) as trouble_began_at
    from notices
    left join operational_events on notices.operational_event_id = operational_events.operational_event_id
    where notices.customer_key is not null
    qualify row_number() over (
        partition by notices.customer_key, coalesce(notices.operational_event_id, concat(notices.source, ' ', notices.notice_id))
        order by notices.noticed_at, notices.source, notices.notice_id
    ) = 1
),

openings as (
    select * from {{ ref('int_contact_chain') }}
    where is_opening and ticket_kind in ('complaint', 'repair', 'incident')
),

meetings as (
    select
        first_notices.source as notice_source,
        first_notices.notice_id,
        first_notices.noticed_at,
        openings.source,
        openings.contact_id,
        openings.started_at
    from first_notices
    inner join openings
        on
            first_notices.customer_key = openings.customer_key
            and (first_notices.product_line is null or openings.product_line = 'unknown' or first_notices.product_line = openings.product_line)
            and first_notices.trouble_began_at <= openings.started_at
            and {{ seconds_between('first_notices.noticed_at', 'openings.started_at') }} <= {{ threshold('notice_window') }}
),

late_notices as (
    select distinct
        notice_source,
        notice_id
    from meetings
    where started_at <= noticed_at
),

timely_notices as (
    select first_notices.*
    from first_notices
    left join late_notices on first_notices.source = late_notices.notice_source and first_notices.notice_id = late_notices.notice_id
    where late_notices.notice_id is null
),

followed as (
    select
        meetings.notice_source,
        meetings.notice_id,
        meetings.source,
        meetings.contact_id
    from meetings
    inner join timely_notices on meetings.notice_source = timely_notices.source and meetings.notice_id = timely_notices.notice_id
    qualify row_number() over (partition by meetings.notice_source, meetings.notice_id order by meetings.started_at, meetings.source, meetings.contact_id) = 1
),

begun as (
    select
        followed.source,
        followed.contact_id,
        timely_notices.source as notice_source,
        timely_notices.notice_id,
        timely_notices.notice_kind,
        timely_notices.channel,
        timely_notices.touch_point,
        timely_notices.operational_event_id,
        timely_notices.noticed_at
    from followed
    inner join timely_notices on followed.notice_source = timely_notices.source and followed.notice_id = timely_notices.notice_id
    qualify row_number() over (
        partition by followed.source, followed.contact_id order by timely_notices.noticed_at, timely_notices.source, timely_notices.notice_id
    ) = 1
),

problems as (
    select
        openings.source,
        openings.contact_id as problem_contact_id,
        openings.contact_id,
        begun.notice_id,
        begun.notice_kind,
        begun.operational_event_id,
        openings.customer_key,
        openings.customer_kind,
        openings.org_unit_id,
        coalesce(begun.channel, openings.channel) as channel,
        coalesce(begun.touch_point, openings.touch_point) as touch_point,
        openings.product_line,
        openings.ticket_kind,
        begun.notice_id is not null as is_proactive,
        begun.noticed_at,
        openings.started_at as contacted_at
    from openings
    left join begun on openings.source = begun.source and openings.contact_id = begun.contact_id
    union all
    select
        notices.source,
        notices.notice_id as problem_contact_id,
        null as contact_id,
        notices.notice_id,
        notices.notice_kind,
        notices.operational_event_id,
        notices.customer_key,
        notices.customer_kind,
        notices.org_unit_id,
        notices.channel,
        notices.touch_point,
        {{ or_unknown('notices.product_line') }} as product_line,
        'unknown' as ticket_kind,
        true as is_proactive,
        notices.noticed_at,
        null as contacted_at
    from timely_notices as notices
    left join followed on notices.source = followed.notice_source and notices.notice_id = followed.notice_id
    where followed.notice_id is null
),

final as (
    select
        problems.source,
        problems.problem_contact_id,
        problems.contact_id,
        problems.notice_id,
        problems.notice_kind,
        problems.operational_event_id,
        problems.customer_key,
        problems.org_unit_id,
        problems.customer_kind,
        problems.channel,
        problems.touch_point,
        problems.product_line,
        problems.ticket_kind,
        problems.is_proactive,
        problems.noticed_at,
        problems.contacted_at,
        coalesce(problems.noticed_at, problems.contacted_at) as began_at,
        {{ local_day('coalesce(problems.noticed_at, problems.contacted_at)', 'units.time_zone') }} as began_on
    from problems
    left join {{ ref('dim_org_units') }} as units on problems.org_unit_id = units.org_unit_id
)

select * from final
