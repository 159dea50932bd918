{%- set windows = {'7d': 604800, '30d': 2592000, '90d': 7776000} %}

-- A case opens with the first statement of the complaint and is closed when all its tickets are. What a source never says (that the customer was told, that a
-- fix was checked) is unknown, not missed. A window that reaches past what the source has sent is not final and is in neither part of a rate.
with contacts as (
    select * from {{ ref('fct_complaint_contacts') }}
),

cases as (
    select
        complaint_id,
        {%- for column in ['source', 'customer_key', 'agent_id', 'org_unit_id', 'channel'] %}
        {{ first_value_of(column, sort_key(['started_at', 'source', 'contact_id'])) }} filter (where is_statement) as {{ column }},
        {%- endfor %}
        min(started_at) filter (where is_statement) as opened_at,
        min(case complaint_rule when 'kind' then 1 when 'code' then 2 when 'demand' then 3 when 'text' then 4 end) as rule_rank,
        count(*) filter (where contact_kind = 'ticket') as tickets,
        count(*) filter (where contact_kind <> 'ticket' or channel not in ('phone', 'chat', 'app', 'social')) as contacts,
        count(distinct channel) as channels,
        min(answered_at) filter (where is_statement) as call_answered_at,
        {{ last_value_of('is_marked_solved', sort_key(['started_at', 'source', 'contact_id'])) }} filter (where is_statement and contact_kind = 'call') as is_call_solved
    from contacts
    group by complaint_id
),

members as (
    select
        complaint_id,
        source,
        substr(contact_id, 8) as ticket_id,
        is_statement,
        started_at
    from contacts
    where contact_kind = 'ticket'
),

steps as (
    select
        members.complaint_id,
        min(timeline.occurred_at) filter (where
            (timeline.ticket_event_id is not null or timeline.step_number = 0)
            and (timeline.assignee is not null or timeline.status <> 'new' or timeline.speaker = 'agent' or (timeline.step_number > 0 and timeline.actor_role = 'agent'))
        ) as accepted_at,
        min(timeline.occurred_at) filter (where timeline.event_kind in ('group', 'dispatched', 'department_asked')) as dispatched_at,
        min(timeline.occurred_at) filter (where timeline.speaker = 'agent') as first_answered_at
    from members
    inner join {{ ref('int_ticket_timeline') }} as timeline on members.source = timeline.source and members.ticket_id = timeline.ticket_id
    group by members.complaint_id
),

ticket_facts as (
    select
        members.complaint_id,
        members.source,
        members.ticket_id,
        members.is_statement,
        members.started_at,
        facts.ticket_kind,
        facts.topic,
        facts.product_line,
        facts.touch_point,
        facts.language,
        facts.priority,
        facts.resolution_code,
        facts.schedule_id,
        facts.is_in_base,
        facts.reopen_count,
        facts.reported_sla_met,
        facts.lifecycle_status,
        facts.first_solved_at,
        facts.last_solved_at,
        signs.text_claim,
        signs.text_escalation,
        signs.text_object,
        signs.claim_kind,
        signs.claim_amount,
        signs.remedy_kind,
        signs.remedy_amount,
        signs.claim_currency,
        signs.dispute_stage
    from members
    inner join {{ ref('int_ticket_facts') }} as facts on members.source = facts.source and members.ticket_id = facts.ticket_id
    left join {{ ref('int_complaint_signs') }} as signs on members.source = signs.source and members.ticket_id = signs.ticket_id
),

{% set in_order = sort_key(['not is_statement', 'started_at', 'source', 'ticket_id']) %}
lives as (
    select
        complaint_id,
        {%- for column in [
            'ticket_id', 'ticket_kind', 'topic', 'product_line', 'touch_point', 'language', 'priority', 'schedule_id', 'text_claim', 'text_escalation', 'text_object', 'claim_kind',
        ] %}
        {{ first_value_of(column, in_order) }} as {{ column }},
        {%- endfor %}
        {{ first_value_of('reported_sla_met', in_order) }} as is_reported_timely,
        {{ last_value_of('resolution_code', in_order) }} filter (where is_statement) as resolution_code,
        {{ last_value_of('remedy_kind', in_order) }} as remedy_kind,
        {{ last_value_of('dispute_stage', in_order) }} as dispute_stage,
        case when count(distinct claim_currency) <= 1 then max(claim_amount) end as claim_amount,
        case when count(distinct claim_currency) <= 1 then sum(remedy_amount) end as remedy_amount,
        case when count(distinct claim_currency) = 1 then max(claim_currency) end as claim_currency,
        bool_and(coalesce(lifecycle_status in ('solved', 'closed'), false)) filter (where is_in_base) as is_closed,
        bool_and(lifecycle_status is not null) filter (where is_in_base) as is_status_known,
        case when bool_and(last_solved_at is not null) filter (where is_in_base) then max(last_solved_at) filter (where is_in_base) end as solved_at,
        sum(reopen_count) filter (where is_in_base) as reopen_count
    from ticket_facts
    group by complaint_id
),

known_ids as (
    select
        ticket_id,
        min(source) as source
    from {{ ref('int_ticket_facts') }}
    where ticket_id in (select members.ticket_id from members)
    group by ticket_id
    having count(*) = 1
),

callbacks as (
    select
        members.complaint_id,
        commitments.commitment_id,
        commitments.done_at,
        commitments.done_at is not null and coalesce(results.is_contact, true) as is_contact,
        results.is_solved
    from {{ ref('int_commitments') }} as commitments
    inner join known_ids on commitments.about_id = known_ids.ticket_id
    inner join members on known_ids.source = members.source and known_ids.ticket_id = members.ticket_id
    left join {{ ref('loop_callbacks') }} as purposes on purposes.dimension = 'purpose' and commitments.purpose = purposes.value
    left join {{ ref('loop_callbacks') }} as results on results.dimension = 'result' and commitments.result = results.value
    where
        commitments._status = 'used' and commitments.commitment_kind = 'callback' and commitments.about_kind = 'ticket'
        and coalesce(purposes.is_contact, true) and not coalesce(commitments.is_control, false)
),

horizons as (
    select
        cases.source,
        coalesce(max(ticket_horizons.known_until), max(contacts.started_at)) as known_until
    from cases
    inner join contacts on cases.complaint_id = contacts.complaint_id
    left join {{ ref('int_ticket_horizons') }} as ticket_horizons on cases.source = ticket_horizons.source
    group by cases.source
),

judged as (
    select
        cases.complaint_id,
        cases.source,
        cases.agent_id,
        cases.org_unit_id,
        cases.channel,
        cases.customer_key,
        cases.opened_at,
        cases.rule_rank,
        cases.tickets,
        cases.contacts,
        cases.channels,
        {{ columns_without('lives', ['complaint_id', 'is_closed', 'solved_at']) }},
        {{ complaint_cause('lives.topic') }} as cause,
        case when lives.complaint_id is null then cases.is_call_solved when lives.is_status_known then lives.is_closed end as is_closed,
        case when lives.is_closed and lives.solved_at >= cases.opened_at then lives.solved_at end as closed_at,
        coalesce(steps.accepted_at, cases.call_answered_at) as accepted_at,
        steps.dispatched_at,
        coalesce(steps.first_answered_at, cases.call_answered_at) as first_answered_at,
        horizons.known_until
    from cases
    inner join horizons on cases.source = horizons.source
    left join lives on cases.complaint_id = lives.complaint_id
    left join steps on cases.complaint_id = steps.complaint_id
),

-- Told: the first word to the customer at or after the close, by a note of it, a reply or a callback that reached them.
words as (
    select
        members.complaint_id,
        timeline.occurred_at as told_at
    from members
    inner join {{ ref('int_ticket_timeline') }} as timeline on members.source = timeline.source and members.ticket_id = timeline.ticket_id
    where timeline.event_kind = 'customer_told' or timeline.speaker = 'agent'
    union all
    select
        complaint_id,
        done_at as told_at
    from callbacks
    where is_contact
),

told as (
    select
        judged.complaint_id,
        min(words.told_at) as told_at
    from judged
    inner join words on judged.complaint_id = words.complaint_id and judged.closed_at <= words.told_at
    group by judged.complaint_id
),

checks as (
    select
        judged.complaint_id,
        min(callbacks.done_at) filter (where callbacks.is_contact) as checked_at,
        {{ first_value_of('callbacks.is_solved', sort_key(['callbacks.done_at', 'callbacks.commitment_id'])) }} filter (where callbacks.is_contact) as is_said_solved,
        bool_or(not callbacks.is_contact) as is_tried
    from judged
    inner join callbacks on judged.complaint_id = callbacks.complaint_id and judged.closed_at <= callbacks.done_at
    group by judged.complaint_id
),

checking as (
    select distinct judged.source
    from checks
    inner join judged on checks.complaint_id = judged.complaint_id
),

-- The customer's next and previous cases, of any cause and of the same.
followed as (
    select
        *,
        lead(opened_at) over by_customer as next_opened_at,
        lag(complaint_id) over by_customer as previous_complaint_id,
        lag(opened_at) over by_customer as previous_opened_at,
        case when cause is not null then lead(opened_at) over by_cause end as next_same_opened_at,
        case when cause is not null then lag(complaint_id) over by_cause end as previous_same_complaint_id,
        case when cause is not null then lag(opened_at) over by_cause end as previous_same_opened_at
    from judged
    where customer_key is not null
    window
        by_customer as (partition by customer_key order by opened_at, complaint_id),
        by_cause as (partition by customer_key, cause order by opened_at, complaint_id)
    union all
    select
        *,
        null as next_opened_at,
        null as previous_complaint_id,
        null as previous_opened_at,
        null as next_same_opened_at,
        null as previous_same_complaint_id,
        null as previous_same_opened_at
    from judged
    where customer_key is null
),

coded as (
    select
        followed.*,
        told.told_at,
        checks.checked_at,
        checks.is_said_solved,
        checks.is_tried,
        checking.source is not null as is_checking,
        objects.result as code_object,
        topics.result as topic_object,
        remedies.result as code_remedy,
        units.time_zone,
        customers.customer_kind,
        {{ local_day('followed.opened_at', 'units.time_zone') }} as opened_on,
        {{ local_day('followed.closed_at', 'units.time_zone') }} as closed_on,
        {{ local_day('checks.checked_at', 'units.time_zone') }} as checked_on,
        {{ local_day('followed.known_until', 'units.time_zone') }} as known_on,
        {{ seconds_between('followed.opened_at', 'followed.known_until') }} as known_seconds,
        {{ seconds_between('followed.opened_at', 'followed.next_opened_at') }} as seconds_to_next,
        {{ seconds_between('followed.opened_at', 'followed.next_same_opened_at') }} as seconds_to_next_same
    from followed
    left join told on followed.complaint_id = told.complaint_id
    left join checks on followed.complaint_id = checks.complaint_id
    left join checking on followed.source = checking.source
    left join {{ ref('complaint_codes') }} as objects
        on objects.field = 'resolution_code' and objects.says = 'object' and lower(followed.resolution_code) = objects.code
    left join {{ ref('complaint_codes') }} as topics on topics.field = 'topic' and topics.says = 'object' and lower(followed.topic) = topics.code
    left join {{ ref('complaint_codes') }} as remedies
        on remedies.field = 'resolution_code' and remedies.says = 'remedy' and lower(followed.resolution_code) = remedies.code
    left join {{ ref('dim_org_units') }} as units on followed.org_unit_id = units.org_unit_id
    left join {{ ref('dim_customers') }} as customers on followed.customer_key = customers.customer_key
)

select
    complaint_id,
    source,
    ticket_id,
    customer_key,
    agent_id,
    org_unit_id,
    schedule_id,
    {{ or_unknown('customer_kind') }} as customer_kind,
    channel,
    {{ or_unknown('touch_point') }} as touch_point,
    {{ or_unknown('product_line') }} as product_line,
    {{ or_unknown('ticket_kind') }} as ticket_kind,
    {{ or_unknown('topic') }} as topic,
    {{ or_unknown('cause') }} as cause,
    {{ or_unknown('priority') }} as priority,
    {{ or_unknown('language') }} as language,
    case rule_rank when 1 then 'kind' when 2 then 'code' when 3 then 'demand' else 'text' end as complaint_rule,
    coalesce(code_object, text_object, topic_object, 'unknown') as complaint_object,
    case when code_object is not null then 'code' when text_object is not null then 'text' when topic_object is not null then 'topic' else 'none' end as object_basis,
    coalesce(nullif(claim_kind, 'none'), text_claim, 'unknown') as claim_kind,
    case when claim_kind is not null then 'source' when text_claim is not null then 'text' else 'none' end as claim_basis,
    cast(claim_amount as double) as claim_amount,
    coalesce(remedy_kind, code_remedy, 'unknown') as remedy_kind,
    case when remedy_kind is not null then 'source' when code_remedy is not null then 'code' else 'none' end as remedy_basis,
    cast(remedy_amount as double) as remedy_amount,
    {{ or_unknown('claim_currency') }} as currency,
    coalesce(text_escalation, 'none') as threat,
    coalesce(dispute_stage, case when reopen_count > 0 then 'objected' else 'none' end) as dispute_stage,
    cast(tickets as integer) as tickets,
    cast(contacts as integer) as contacts,
    cast(channels as integer) as channels,
    is_closed,
    cast(coalesce(reopen_count, 0) as integer) as reopen_count,
    is_reported_timely,
    case
        when closed_at is null or not is_checking or is_closed is not true then 'unknown'
        when checked_at is not null and is_said_solved then 'holds'
        when checked_at is not null and not is_said_solved then 'not_fixed'
        when checked_at is not null then 'reached'
        when is_tried then 'unreached'
        else 'not_checked'
    end as check_state,
    case
        when closed_at is not null and is_closed and is_checking
            then case
                when {{ days_after('closed_on', 'checked_on') }} <= {{ threshold('complaint_check_days') }} then true
                when {{ days_after('closed_on', 'known_on') }} > {{ threshold('complaint_check_days') }} then false
            end
    end as is_checked_in_time,
    {%- for window, seconds in windows.items() %}
    customer_key is not null and known_seconds >= {{ seconds }} as is_final_{{ window }},
    customer_key is not null and known_seconds >= {{ seconds }} and coalesce(seconds_to_next <= {{ seconds }}, false) as is_repeated_{{ window }},
    customer_key is not null and cause is not null and known_seconds >= {{ seconds }} as is_cause_final_{{ window }},
    customer_key is not null and known_seconds >= {{ seconds }} and coalesce(seconds_to_next_same <= {{ seconds }}, false) as is_cause_repeated_{{ window }},
    {%- endfor %}
    coalesce({{ seconds_between('previous_same_opened_at', 'opened_at') }} <= {{ windows['90d'] }}, false) as is_second,
    case when {{ seconds_between('previous_same_opened_at', 'opened_at') }} <= {{ windows['90d'] }} then previous_same_complaint_id end as repeats_complaint_id,
    previous_complaint_id,
    case
        when is_closed and cause is not null and customer_key is not null and {{ seconds_between('closed_at', 'known_until') }} >= {{ windows['30d'] }}
            then not (coalesce({{ seconds_between('closed_at', 'next_same_opened_at') }} <= {{ windows['30d'] }}, false) or coalesce(not is_said_solved, false))
    end as is_fix_held_30d,
    seconds_to_next,
    seconds_to_next_same,
    opened_at,
    case when accepted_at >= opened_at then accepted_at when accepted_at is not null then opened_at end as accepted_at,
    case when dispatched_at >= opened_at then dispatched_at when dispatched_at is not null then opened_at end as dispatched_at,
    case when first_answered_at >= opened_at then first_answered_at when first_answered_at is not null then opened_at end as first_answered_at,
    closed_at,
    told_at,
    checked_at,
    next_opened_at,
    known_until,
    opened_on,
    closed_on
from coded
