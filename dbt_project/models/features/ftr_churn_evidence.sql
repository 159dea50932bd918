-- Which rule of seeds/churn_rules.csv (and of churn_causes.csv) finds its evidence at which departure, and what that is. Evidence lies on the days of the window up to
-- the departure; nothing that came later is looked at. One join a kind of evidence, over the departed only.
with departures as (
    select * from {{ ref('ftr_departures') }}
),

rules as (
    select
        'type' as rule_set,
        r.rule_order,
        r.evidence,
        r.parameter,
        coalesce(r.window_days, 0) as window_days,
        r.minimum
    from {{ ref('churn_rules') }} as r
    union all
    select
        'cause' as rule_set,
        c.cause_order as rule_order,
        c.evidence,
        c.parameter,
        coalesce(c.window_days, 0) as window_days,
        1 as minimum
    from {{ ref('churn_causes') }} as c
),

ticket_kinds_of_evidence as (
    {%- for kind in ['tickets', 'unsolved_tickets', 'resolution_codes', 'uncoded_tickets'] %}
    select '{{ kind }}' as evidence
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

longest as (
    select
        rules.evidence,
        max(rules.window_days) as window_days
    from rules
    group by rules.evidence
),

tickets as (
    select
        departures.departure,
        departures.left_on - {{ local_day('facts.created_at', 'units.time_zone') }} as days_before,
        concat(facts.ticket_kind, ':', facts.topic) as what,
        concat(facts.ticket_kind, ':*') as any_of_kind,
        facts.resolution_code,
        facts.last_solved_at is null or {{ local_day('facts.last_solved_at', 'units.time_zone') }} > departures.left_on as is_unsolved,
        facts.ticket_id as reference
    from departures
    inner join {{ ref('dim_customer_links') }} as links on departures.customer_key = links.customer_key
    inner join {{ ref('int_ticket_facts') }} as facts
        on links.source = coalesce(facts.customer_source, facts.source) and links.customer_id = facts.customer_id
    left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
    where
        facts.is_in_base
        and facts.created_at < cast(departures.left_on as timestamp) + interval '2 days'
        and facts.created_at > cast(departures.left_on as timestamp) - interval '1100 days'
),

actions as (
    select
        departures.departure,
        departures.left_on - {{ local_day('actions.occurred_at', 'units.time_zone') }} as days_before,
        actions.step as what,
        actions.action_id as reference
    from departures
    inner join {{ ref('dim_customer_links') }} as links on departures.customer_key = links.customer_key
    inner join {{ ref('int_customer_actions') }} as actions
        on
            links.source = coalesce(actions.customer_source, actions.source)
            and links.customer_id = actions.customer_id
            and actions._status = 'used'
            and actions.action_kind = 'dunning'
    left join {{ ref('dim_org_units') }} as units on actions.org_unit_id = units.org_unit_id
),

-- How many days the oldest bill that was not paid on the day of the departure was overdue then.
unpaid as (
    select
        departures.departure,
        max(departures.left_on - bills.due_on) as days_overdue,
        arg_min(bills.transaction_id, {{ sort_key(['bills.due_on', 'bills.transaction_id']) }}) as reference
    from departures
    inner join {{ ref('dim_customer_links') }} as links on departures.customer_key = links.customer_key
    inner join {{ ref('int_transactions') }} as bills
        on
            links.source = coalesce(bills.customer_source, bills.source)
            and links.customer_id = bills.customer_id
            and bills._status = 'used'
            and bills.transaction_kind in ('charge', 'invoice')
            and (bills.paid_on is null or bills.paid_on > bills.due_on)
    where bills.due_on < departures.left_on and coalesce(bills.paid_on > departures.left_on, true)
    group by departures.departure
),

promises as (
    select
        departures.departure,
        departures.left_on - {{ local_day('commitments.due_at', 'units.time_zone') }} as days_before,
        commitments.commitment_id as reference
    from departures
    inner join {{ ref('dim_customer_links') }} as links on departures.customer_key = links.customer_key
    inner join {{ ref('int_commitments') }} as commitments
        on
            links.source = coalesce(commitments.customer_source, commitments.source)
            and links.customer_id = commitments.customer_id
            and commitments._status = 'used'
            and commitments.commitment_kind = 'promise'
            and coalesce(commitments.done_at > commitments.due_at, true)
    left join {{ ref('dim_org_units') }} as units on commitments.org_unit_id = units.org_unit_id
),

answers as (
    select
        departures.departure,
        departures.left_on - loops.responded_on as days_before,
        loops.unhappy_kind as what,
        loops.response_id as reference
    from departures
    inner join {{ ref('fct_closed_loop') }} as loops on departures.customer_key = loops.customer_key
),

events as (
    select
        departures.departure,
        departures.left_on - {{ local_day('events.started_at', 'units.time_zone') }} as days_before,
        events.event_kind as what,
        events.operational_event_id as reference
    from departures
    inner join {{ ref('int_operational_events') }} as events on departures.account_id = events.object_id and events._status = 'used'
    left join {{ ref('dim_org_units') }} as units on events.org_unit_id = units.org_unit_id
    union all
    select
        departures.departure,
        departures.left_on - {{ local_day('events.started_at', 'units.time_zone') }} as days_before,
        events.event_kind as what,
        events.operational_event_id as reference
    from departures
    inner join {{ ref('dim_customer_links') }} as links on departures.customer_key = links.customer_key
    inner join {{ ref('int_operational_events') }} as events on links.customer_id = events.object_id and events._status = 'used'
    left join {{ ref('dim_org_units') }} as units on events.org_unit_id = units.org_unit_id
),

seen as (
    select
        'end_reason' as evidence,
        departures.departure,
        0 as days_before,
        departures.end_reasons as what,
        cast(null as varchar) as any_of_kind,
        departures.subscription_id as reference,
        1 as weight
    from departures
    where departures.end_reasons is not null
    union all
    select
        'contract_term' as evidence,
        departures.departure,
        cast(abs(
            departures.left_on - departures.contract_started_on
            - greatest(round((departures.left_on - departures.contract_started_on) / 30.4375 / nullif(departures.contract_months, 0)), 1) * departures.contract_months * 30.4375
        ) as bigint) as days_before,
        cast(null as varchar) as what,
        cast(null as varchar) as any_of_kind,
        departures.subscription_id as reference,
        1 as weight
    from departures
    where departures.contract_months > 0
    union all
    select
        kinds.evidence,
        tickets.departure,
        tickets.days_before,
        case when kinds.evidence = 'resolution_codes' then tickets.resolution_code else tickets.what end as what,
        case when kinds.evidence <> 'resolution_codes' then tickets.any_of_kind end as any_of_kind,
        tickets.reference,
        1 as weight
    from tickets
    inner join ticket_kinds_of_evidence as kinds
        on
            kinds.evidence = 'tickets'
            or (kinds.evidence = 'unsolved_tickets' and tickets.is_unsolved)
            or (kinds.evidence = 'resolution_codes' and tickets.resolution_code is not null)
            or (kinds.evidence = 'uncoded_tickets' and tickets.resolution_code is null)
    union all
    select
        'dunning' as evidence,
        actions.departure,
        actions.days_before,
        actions.what,
        cast(null as varchar) as any_of_kind,
        actions.reference,
        1 as weight
    from actions
    union all
    select
        'arrears' as evidence,
        unpaid.departure,
        0 as days_before,
        cast(null as varchar) as what,
        cast(null as varchar) as any_of_kind,
        unpaid.reference,
        unpaid.days_overdue as weight
    from unpaid
    union all
    select
        'broken_promises' as evidence,
        promises.departure,
        promises.days_before,
        cast(null as varchar) as what,
        cast(null as varchar) as any_of_kind,
        promises.reference,
        1 as weight
    from promises
    union all
    select
        'unhappy_answers' as evidence,
        answers.departure,
        answers.days_before,
        answers.what,
        cast(null as varchar) as any_of_kind,
        answers.reference,
        1 as weight
    from answers
    union all
    select
        'operational_events' as evidence,
        events.departure,
        events.days_before,
        events.what,
        cast(null as varchar) as any_of_kind,
        events.reference,
        1 as weight
    from events
),

-- Several reasons of one day are each looked for; a rule without a parameter takes all evidence of its kind.
near as (
    select seen.*
    from seen
    inner join longest on seen.evidence = longest.evidence and seen.days_before between 0 and longest.window_days
)

select
    near.departure,
    rules.rule_set,
    rules.rule_order,
    rules.evidence,
    sum(near.weight) as evidence_count,
    arg_min(near.reference, {{ sort_key(['near.days_before', 'near.reference']) }}) as nearest_reference,
    min(near.days_before) as days_before
from near
inner join rules
    on
        near.evidence = rules.evidence
        and near.days_before <= rules.window_days
        and (
            rules.parameter is null
            or {{ is_listed('near.what', 'rules.parameter') }}
            or {{ is_listed('near.any_of_kind', 'rules.parameter') }}
            or (near.evidence = 'end_reason' and {{ any_is_listed('near.what', 'rules.parameter') }})
        )
group by near.departure, rules.rule_set, rules.rule_order, rules.evidence, rules.minimum
having sum(near.weight) >= rules.minimum
