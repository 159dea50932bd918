{%- set words = promise_words() %}

-- A promise that both the record and the reply know is one; then the record's due time holds and the act is the reply's. Recorded ones are judged by the record,
-- those that only the reply knows by what happened on the ticket afterwards.
with known_ids as (
    {{ tickets_of_one_source() }}
),

record_horizons as (
    {{ commitment_horizons() }}
),

recorded as (
    select
        commitments.source,
        commitments.commitment_id,
        commitments.purpose,
        commitments.about_kind,
        commitments.about_id,
        commitments.customer_id,
        coalesce(commitments.customer_source, commitments.source) as customer_source,
        commitments.agent_id,
        commitments.org_unit_id,
        commitments.made_at,
        commitments.due_at,
        commitments.done_at,
        case
            {%- for word in words if word.sense == 'result' %}
            when {{ matches_pattern('commitments.result', word.pattern) }} then '{{ word.value }}'
            {%- else %}
            when false then ''
            {%- endfor %}
        end as coded_state,
        known_ids.source as ticket_source,
        case when known_ids.source is not null then commitments.about_id end as ticket_id,
        record_horizons.known_until
    from {{ ref('int_commitments') }} as commitments
    inner join record_horizons on commitments.source = record_horizons.source
    left join known_ids on commitments.about_kind = 'ticket' and commitments.about_id = known_ids.ticket_id
    where commitments._status = 'used' and commitments.commitment_kind = 'promise' and not coalesce(commitments.is_control, false)
),

signs as (
    select
        signs.*,
        facts.schedule_id,
        units.time_zone,
        {{ local_time('signs.made_at', 'units.time_zone') }} as local_made_at
    from {{ ref('int_promise_signs') }} as signs
    inner join {{ ref('int_ticket_facts') }} as facts on signs.source = facts.source and signs.ticket_id = facts.ticket_id
    left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
),

working_days as (
    select
        day,
        row_number() over (order by day) as working_number
    from {{ ref('dim_calendar') }}
    where is_working_day
),

calendar as (
    select
        days.day,
        days.weekday,
        days.week_start,
        count(*) filter (where days.is_working_day) over (order by days.day rows between unbounded preceding and current row) as working_until
    from {{ ref('dim_calendar') }} as days
),

-- The last day on which it can be kept, on the unit's calendar; a weekday is the next one, today included.
target_days as (
    select
        signs.*,
        case
            when signs.within_unit in ('minute', 'hour') then null
            when signs.within_unit = 'day' then calendar.day + signs.within_number
            when signs.within_unit = 'week' then calendar.day + 7 * signs.within_number
            when signs.within_unit = 'working_day' then working_days.day
            when signs.days_ahead is not null then calendar.day + signs.days_ahead
            when signs.weekday is not null and signs.is_next_week then calendar.week_start + 6 + signs.weekday
            when signs.weekday is not null then calendar.day + (signs.weekday - calendar.weekday + 7) % 7
            when signs.period = 'next_week' then calendar.week_start + 13
            when signs.period = 'week' then calendar.week_start + 6
            when signs.period = 'month' then {{ last_day_of_month('calendar.day') }}
            else calendar.day
        end as target_day
    from signs
    left join calendar on cast(signs.local_made_at as date) = calendar.day
    left join working_days
        on signs.within_unit = 'working_day' and calendar.working_until + signs.within_number = working_days.working_number
),

day_ends as (
    select
        *,
        {{ local_to_utc_of('cast(target_day + 1 as timestamp)', "coalesce(time_zone, '" ~ var('default_time_zone') ~ "')") }} as day_ends_at
    from target_days
),

openings as (
    select
        schedule_id,
        opens_at,
        closes_at
    from {{ ref('int_schedule_openings') }}
),

closings as (
    select
        day_ends.*,
        openings.closes_at
    from day_ends
    {{ join_latest(
        'openings', 'openings', ['day_ends.schedule_id = openings.schedule_id'],
        'openings.opens_at', 'case when day_ends.is_until_close then day_ends.day_ends_at end'
    ) }}
),

-- Said after the hour that it names (in the evening: "before noon"), it is meant for the day after.
read as (
    select
        source,
        ticket_id,
        ticket_event_id,
        act,
        actor_id,
        language,
        made_at,
        case
            when within_unit = 'minute' then made_at + to_minutes(within_number)
            when within_unit = 'hour' then made_at + to_hours(within_number)
            when
                limit_minute is not null and days_ahead is null and weekday is null and period is null and within_unit is null
                and limit_minute <= 60 * hour(local_made_at) + minute(local_made_at)
                then {{ local_to_utc_of("cast(target_day + 1 as timestamp) + to_minutes(limit_minute)", "coalesce(time_zone, '" ~ var('default_time_zone') ~ "')") }}
            when limit_minute is not null
                then {{ local_to_utc_of("cast(target_day as timestamp) + to_minutes(limit_minute)", "coalesce(time_zone, '" ~ var('default_time_zone') ~ "')") }}
            when is_until_close and closes_at > made_at then least(closes_at, day_ends_at)
            else day_ends_at
        end as due_at
    from closings
),

paired as (
    select
        recorded.source as record_source,
        recorded.commitment_id,
        read.source,
        read.ticket_event_id,
        read.act,
        abs({{ seconds_between('read.made_at', 'recorded.made_at') }}) as apart
    from recorded
    inner join read on recorded.ticket_source = read.source and recorded.ticket_id = read.ticket_id
    where abs({{ seconds_between('read.made_at', 'recorded.made_at') }}) <= {{ threshold('promise_match_window') }}
),

nearest as (
    select
        *,
        row_number() over (partition by record_source, commitment_id order by apart, ticket_event_id, act) as rank_of_reply,
        row_number() over (partition by source, ticket_event_id, act order by apart, record_source, commitment_id) as rank_of_record
    from paired
),

same as (
    select * from nearest
    where rank_of_reply = 1 and rank_of_record = 1
),

-- What can show that a promise which only a reply knows was kept, by what it promised.
callbacks as (
    select
        known_ids.source,
        commitments.about_id as ticket_id,
        commitments.done_at as happened_at
    from {{ ref('int_commitments') }} as commitments
    inner join known_ids on commitments.about_id = known_ids.ticket_id
    left join {{ ref('loop_callbacks') }} as results on results.dimension = 'result' and commitments.result = results.value
    where
        commitments._status = 'used' and commitments.commitment_kind = 'callback' and commitments.about_kind = 'ticket'
        and commitments.done_at is not null and coalesce(results.is_contact, true) and not coalesce(commitments.is_control, false)
),

only_read as (
    select
        read.*,
        facts.customer_id,
        coalesce(facts.customer_source, facts.source) as customer_source,
        links.customer_key,
        horizons.known_until
    from read
    inner join {{ ref('int_ticket_facts') }} as facts on read.source = facts.source and read.ticket_id = facts.ticket_id
    inner join {{ ref('int_ticket_horizons') }} as horizons on read.source = horizons.source
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    left join same on read.source = same.source and read.ticket_event_id = same.ticket_event_id and read.act = same.act
    where same.commitment_id is null
),

wanted as (
    select distinct
        source,
        ticket_id
    from only_read
),

deeds as (
    select
        timeline.source,
        timeline.ticket_id,
        case
            when timeline.speaker = 'agent' then 'reply'
            when timeline.event_kind = 'customer_told' then 'told'
            when timeline.is_solution then 'solved'
        end as evidence,
        timeline.occurred_at as happened_at
    from {{ ref('int_ticket_timeline') }} as timeline
    inner join wanted on timeline.source = wanted.source and timeline.ticket_id = wanted.ticket_id
    where timeline.speaker = 'agent' or timeline.event_kind = 'customer_told' or timeline.is_solution
    union all
    select
        work.source,
        work.ticket_id,
        'visit' as evidence,
        work.reached_at as happened_at
    from {{ ref('int_ticket_work') }} as work
    inner join wanted on work.source = wanted.source and work.ticket_id = wanted.ticket_id
    where work.work_kind = 'visit' and work.reached_at is not null
    union all
    select
        callbacks.source,
        callbacks.ticket_id,
        'callback' as evidence,
        callbacks.happened_at
    from callbacks
    union all
    select distinct
        only_read.source,
        only_read.ticket_id,
        'call' as evidence,
        calls.started_at as happened_at
    from only_read
    inner join {{ ref('fct_calls') }} as calls on only_read.customer_key = calls.customer_key and only_read.made_at < calls.started_at
    where calls.direction = 'outbound' and calls.is_answered
),

accepted as (
    select unnest(['callback', 'callback', 'callback', 'visit', 'solve', 'answer', 'answer', 'answer', 'answer']) as act,
        unnest(['callback', 'call', 'told', 'visit', 'solved', 'reply', 'told', 'callback', 'call']) as evidence
),

-- What a source never sends cannot be missed; a solution and a reply every help desk sends.
senders as (
    select distinct
        source,
        case work_kind when 'visit' then 'visit' else 'callback' end as act
    from {{ ref('int_ticket_work') }}
    where work_kind = 'notice' or (work_kind = 'visit' and reached_at is not null)
    union
    select
        source,
        'callback' as act
    from callbacks
),

seen as (
    select
        source,
        act
    from senders
    union all
    select
        source,
        unnest(['solve', 'answer']) as act
    from {{ ref('int_ticket_horizons') }}
),

first_deeds as (
    select
        only_read.source,
        only_read.ticket_event_id,
        only_read.act,
        min(deeds.happened_at) as happened_at,
        {{ first_value_of('deeds.evidence', sort_key(['deeds.happened_at', 'deeds.evidence'])) }} as evidence
    from only_read
    inner join accepted on only_read.act = accepted.act
    inner join deeds
        on only_read.source = deeds.source and only_read.ticket_id = deeds.ticket_id and accepted.evidence = deeds.evidence and only_read.made_at < deeds.happened_at
    group by only_read.source, only_read.ticket_event_id, only_read.act
),

together as (
    select
        concat(recorded.source, ':', recorded.commitment_id) as promise_id,
        recorded.source,
        case when same.ticket_event_id is null then 'record' else 'both' end as basis,
        coalesce(same.act, 'unknown') as act,
        recorded.purpose,
        recorded.ticket_source,
        recorded.ticket_id,
        recorded.customer_source,
        recorded.customer_id,
        recorded.agent_id,
        recorded.org_unit_id,
        recorded.coded_state,
        read.language,
        recorded.made_at,
        coalesce(recorded.due_at, read.due_at) as due_at,
        read.due_at as said_due_at,
        case when recorded.due_at is not null then 'record' when read.due_at is not null then 'words' else 'none' end as due_basis,
        recorded.done_at,
        case when recorded.done_at is not null or recorded.coded_state is not null then 'record' else 'none' end as evidence,
        true as is_seen,
        recorded.known_until
    from recorded
    left join same on recorded.source = same.record_source and recorded.commitment_id = same.commitment_id
    left join read on same.source = read.source and same.ticket_event_id = read.ticket_event_id and same.act = read.act
    union all
    select
        concat(only_read.source, ':', only_read.ticket_event_id, ':', only_read.act) as promise_id,
        only_read.source,
        'reply' as basis,
        only_read.act,
        null as purpose,
        only_read.source as ticket_source,
        only_read.ticket_id,
        only_read.customer_source,
        only_read.customer_id,
        only_read.actor_id as agent_id,
        null as org_unit_id,
        null as coded_state,
        only_read.language,
        only_read.made_at,
        only_read.due_at,
        only_read.due_at as said_due_at,
        'words' as due_basis,
        first_deeds.happened_at as done_at,
        coalesce(first_deeds.evidence, 'none') as evidence,
        seen.act is not null as is_seen,
        only_read.known_until
    from only_read
    left join first_deeds
        on only_read.source = first_deeds.source and only_read.ticket_event_id = first_deeds.ticket_event_id and only_read.act = first_deeds.act
    left join seen on only_read.source = seen.source and only_read.act = seen.act
),

judged as (
    select
        together.*,
        links.customer_key,
        coalesce(together.org_unit_id, facts.org_unit_id) as unit_id,
        facts.channel,
        facts.product_line,
        facts.ticket_kind,
        facts.topic,
        customers.customer_kind,
        case
            when together.done_at <= together.due_at then 'kept'
            when together.done_at > together.due_at then 'late'
            when together.coded_state is not null then together.coded_state
            when together.due_at is null or not together.is_seen then 'unknown'
            when together.due_at <= together.known_until then 'broken'
            else 'open'
        end as promise_outcome
    from together
    left join {{ ref('int_ticket_facts') }} as facts on together.ticket_source = facts.source and together.ticket_id = facts.ticket_id
    left join {{ ref('dim_customer_links') }} as links on together.customer_source = links.source and together.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
)

select
    judged.promise_id,
    judged.source,
    judged.basis,
    judged.act,
    {{ or_unknown('judged.purpose') }} as purpose,
    judged.ticket_source,
    judged.ticket_id,
    judged.customer_key,
    judged.agent_id,
    judged.unit_id as org_unit_id,
    {{ or_unknown('judged.customer_kind') }} as customer_kind,
    {{ or_unknown('judged.channel') }} as channel,
    {{ or_unknown('judged.product_line') }} as product_line,
    {{ or_unknown('judged.ticket_kind') }} as ticket_kind,
    {{ or_unknown('judged.topic') }} as topic,
    {{ or_unknown('judged.language') }} as language,
    judged.promise_outcome,
    judged.due_basis,
    judged.evidence,
    {{ seconds_between('judged.made_at', 'judged.due_at') }} as promised_seconds,
    {{ seconds_between('judged.due_at', 'judged.done_at') }} as delay_seconds,
    judged.made_at,
    judged.due_at,
    judged.said_due_at,
    judged.done_at,
    judged.known_until,
    {{ local_day('judged.made_at', 'units.time_zone') }} as made_on,
    {{ local_day('judged.due_at', 'units.time_zone') }} as due_on
from judged
left join {{ ref('dim_org_units') }} as units on judged.unit_id = units.org_unit_id
