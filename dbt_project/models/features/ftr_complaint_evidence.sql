{%- set causes = cause_taxonomy() %}

-- What agents and systems say of the cause of a case. Each fact stands in a line of seeds/cause_facts.csv with the topics for which it proves something.
with cases as (
    select * from {{ ref('fct_complaints') }}
),

events as (
    select * from {{ ref('int_operational_events') }}
    where _status = 'used'
),

codes as (
    select
        contacts.complaint_id,
        {{ last_value_of('facts.resolution_code', sort_key(['contacts.started_at', 'facts.ticket_id'])) }} as resolution_code,
        max(facts.fault_code) as fault_code
    from {{ ref('fct_complaint_contacts') }} as contacts
    inner join {{ ref('int_ticket_facts') }} as facts on contacts.source = facts.source and contacts.contact_id = concat('ticket:', facts.ticket_id)
    where contacts.contact_kind = 'ticket' and contacts.is_statement
    group by contacts.complaint_id
),

wanted as (
    select
        cases.complaint_id,
        cases.customer_key,
        cases.org_unit_id,
        cases.product_line,
        cases.opened_at,
        codes.fault_code,
        lines.fact_order,
        lines.fact,
        lines.what,
        lines.cause
    from cases
    inner join {{ ref('cause_facts') }} as lines on {{ is_listed('cases.topic', 'lines.topics') }}
    inner join {{ ref('cause_taxonomy') }} as taxonomy on lines.cause = taxonomy.code and taxonomy.is_active
    left join codes on cases.complaint_id = codes.complaint_id
),

blacklisted as (
    select
        keys.customer_key,
        events.started_at,
        events.ended_at
    from events
    inner join {{ ref('int_customer_identities') }} as keys on events.source = keys.source and events.object_id = keys.customer_id
    where events.event_kind = 'blacklist'
),

repairs as (
    select
        facts.org_unit_id,
        facts.product_line,
        facts.fault_code,
        facts.created_at
    from {{ ref('int_ticket_facts') }} as facts
    where facts.is_in_base and facts.fault_code is not null and facts.org_unit_id is not null and facts.product_line is not null
),

bursts as (
    select
        wanted.complaint_id,
        wanted.fact_order
    from wanted
    inner join repairs
        on
            wanted.org_unit_id = repairs.org_unit_id and wanted.product_line = repairs.product_line and wanted.opened_at >= repairs.created_at
            and {{ seconds_between('repairs.created_at', 'wanted.opened_at') }} <= {{ threshold('cause_burst_window') }}
    where wanted.fact = 'work_order_burst' and {{ is_listed('repairs.fault_code', "coalesce(wanted.what, '')") }}
    group by wanted.complaint_id, wanted.fact_order
    having count(*) >= {{ threshold('cause_burst_repairs') }}
),

proven as (
    select
        wanted.complaint_id,
        wanted.fact_order,
        wanted.fact,
        wanted.cause
    from wanted
    inner join {{ ref('fct_arrears_stops') }} as stops
        on
            wanted.customer_key = stops.customer_key and wanted.opened_at >= stops.stopped_at and stops.is_wrong = (wanted.fact = 'stop_wrong')
            and {{ seconds_between('stops.stopped_at', 'wanted.opened_at') }} <= {{ threshold('cause_stop_window') }}
    where wanted.fact in ('stop_wrong', 'stop_owed')
    union all
    select
        wanted.complaint_id,
        wanted.fact_order,
        wanted.fact,
        wanted.cause
    from wanted
    inner join blacklisted
        on wanted.customer_key = blacklisted.customer_key and wanted.opened_at >= blacklisted.started_at and coalesce(wanted.opened_at < blacklisted.ended_at, true)
    where wanted.fact = 'blacklist'
    union all
    select
        wanted.complaint_id,
        wanted.fact_order,
        wanted.fact,
        wanted.cause
    from wanted
    inner join events
        on
            events.event_kind in ('outage', 'fault') and wanted.org_unit_id = events.org_unit_id and wanted.product_line = events.product_line
            and wanted.opened_at >= events.started_at
            and {{ seconds_between('events.started_at', 'wanted.opened_at') }} <= {{ threshold('cause_outage_window') }}
    where wanted.fact = 'outage'
    union all
    select
        wanted.complaint_id,
        wanted.fact_order,
        wanted.fact,
        wanted.cause
    from wanted
    inner join bursts on wanted.complaint_id = bursts.complaint_id and wanted.fact_order = bursts.fact_order
    union all
    select
        complaint_id,
        fact_order,
        fact,
        cause
    from wanted
    where fact = 'device_fault' and {{ is_listed('fault_code', "coalesce(what, '')") }}
),

facts as (
    select
        complaint_id,
        {{ first_value_of('fact', 'fact_order') }} as fact,
        {{ first_value_of('cause', 'fact_order') }} as fact_cause
    from proven
    group by complaint_id
)

select
    cases.complaint_id,
    cases.source,
    cases.ticket_id,
    cases.customer_key,
    cases.org_unit_id,
    cases.customer_kind,
    cases.channel,
    cases.product_line,
    cases.topic,
    cases.opened_at,
    cases.opened_on,
    cases.closed_on,
    codes.resolution_code is not null as is_coded,
    cast({{ cause_of_code('codes.resolution_code', causes) }} as varchar) as code_cause,
    facts.fact,
    facts.fact_cause,
    texts.rule_cause,
    texts.text_key,
    coalesce(texts.text_language, 'unknown') as text_language,
    cast(max(cases.known_until) over () as date) as as_of
from cases
left join codes on cases.complaint_id = codes.complaint_id
left join facts on cases.complaint_id = facts.complaint_id
left join {{ ref('int_complaint_texts') }} as texts on cases.source = texts.source and cases.ticket_id = texts.ticket_id
