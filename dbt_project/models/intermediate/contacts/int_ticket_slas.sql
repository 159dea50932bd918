{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'tickets', 'via': {'ticket_events': ['ticket_id']}}},
) }}

-- Promises kept and broken. A ticket's life is cut into stretches of one status, priority and schedule. In each stretch the promise
-- holds that fits the priority *then*; the time spent is counted by that promise's clock from the day it began, without its pauses. A
-- promise is broken at the first instant at which, under the promise in force, more than its target is spent: a priority raised later
-- breaks nothing earlier. `due_at` is that instant, also where it lies in the future or after the fulfilment.
{% set key = 'source, ticket_id, sla_metric, instance' %}
with tickets as (
    select
        source,
        ticket_id,
        coalesce(ticket_kind, '') as ticket_kind,
        coalesce(customer_tier, '') as customer_tier,
        coalesce(ticket_status in ('solved', 'closed', 'deleted'), false) as is_reported_done,
        _partition_date
    from {{ ref('int_tickets') }}
    where
        _status = 'used'
        {% if is_incremental() %} and _partition_date in ({{ touched_partitions() }}) {% endif %}
),

timeline as (
    select steps.*
    from {{ ref('int_ticket_timeline') }} as steps
    {% if is_incremental() %}
    where _partition_date in ({{ touched_partitions() }})
    {% endif %}
),

policies as (
    select
        precedence,
        policy,
        sla_metric,
        priorities,
        ticket_kinds,
        customer_tiers,
        clock,
        coalesce(pause_statuses, '') as pause_statuses,
        cast(target_minutes as bigint) * 60000000 as target_micros,
        coalesce(valid_from, date '1900-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from {{ ref('sla_policies') }}
),

-- What is promised: an answer to each turn of the customer, and a solution.
turns_begun as (
    select
        source,
        ticket_id,
        happened_at as applied_at,
        business_micros as applied_micros,
        row_number() over (partition by source, ticket_id order by step_number) as turn
    from timeline
    where begins_turn
),

turns_answered as (
    select
        source,
        ticket_id,
        happened_at as fulfilled_at,
        business_micros as fulfilled_micros,
        row_number() over (partition by source, ticket_id order by step_number) as turn
    from timeline
    where ends_turn
),

lives as (
    select
        source,
        ticket_id,
        {{ first_value_of(record(['happened_at', 'business_micros']), 'step_number') }} filter (where step_number = 0) as creation,
        {{ first_value_of(record(['happened_at', 'business_micros']), 'step_number') }} filter (where is_solution) as first_solution,
        {{ last_value_of(record(['happened_at', 'business_micros']), 'step_number') }} filter (where is_solution) as last_solution,
        {{ last_value_of(record(['happened_at', 'business_micros', 'status']), 'step_number') }}
            filter (where status is not null and event_kind = 'status') as last_status
    from timeline
    where step_number = 0 or event_kind = 'status'
    group by source, ticket_id
),

-- The solution, or the deletion, of a ticket ends what is still promised.
closings as (
    select
        lives.*,
        last_status is not null as has_status,
        coalesce(last_status.status in ('solved', 'closed'), false) as is_solved,
        case
            when last_status.status in ('solved', 'closed') then last_solution.happened_at
            when last_status.status = 'deleted' then last_status.happened_at
        end as ended_at,
        case
            when last_status.status in ('solved', 'closed') then last_solution.business_micros
            when last_status.status = 'deleted' then last_status.business_micros
        end as ended_micros
    from lives
),

promised as (
    select
        turns_begun.source,
        turns_begun.ticket_id,
        case when turns_begun.turn = 1 then 'first_reply' else 'next_reply' end as sla_metric,
        turns_begun.turn as instance,
        turns_begun.applied_at,
        turns_begun.applied_micros,
        turns_answered.fulfilled_at,
        turns_answered.fulfilled_micros,
        closings.ended_at,
        closings.ended_micros,
        closings.has_status
    from turns_begun
    inner join closings on turns_begun.source = closings.source and turns_begun.ticket_id = closings.ticket_id
    left join turns_answered
        on
            turns_begun.source = turns_answered.source
            and turns_begun.ticket_id = turns_answered.ticket_id
            and turns_begun.turn = turns_answered.turn
    union all
    select
        source,
        ticket_id,
        'first_resolution' as sla_metric,
        1 as instance,
        creation.happened_at as applied_at,
        creation.business_micros as applied_micros,
        first_solution.happened_at as fulfilled_at,
        first_solution.business_micros as fulfilled_micros,
        ended_at,
        ended_micros,
        has_status
    from closings
    union all
    select
        source,
        ticket_id,
        'resolution' as sla_metric,
        1 as instance,
        creation.happened_at as applied_at,
        creation.business_micros as applied_micros,
        case when is_solved then last_solution.happened_at end as fulfilled_at,
        case when is_solved then last_solution.business_micros end as fulfilled_micros,
        ended_at,
        ended_micros,
        has_status
    from closings
),

instances as (
    select
        {{ columns_without('promised', ['ended_at', 'ended_micros', 'has_status']) }},
        case when promised.fulfilled_at is null then promised.ended_at end as ended_at,
        coalesce(promised.fulfilled_at, promised.ended_at) as end_at,
        case when promised.fulfilled_at is null then promised.ended_micros else promised.fulfilled_micros end as end_micros,
        cast(promised.applied_at as date) as applied_on,
        tickets.ticket_kind,
        tickets.customer_tier,
        tickets.is_reported_done and not promised.has_status as is_end_unknown,
        tickets._partition_date
    from promised
    inner join tickets on promised.source = tickets.source and promised.ticket_id = tickets.ticket_id
    where promised.sla_metric in (select p.sla_metric from policies as p)
),

steps as (
    select
        source,
        ticket_id,
        coalesce(status, 'new') as status,
        coalesce(priority, '') as priority,
        schedule_id,
        happened_at as began_at,
        business_micros as began_micros,
        business_micros - schedule_micros as shift_micros,
        lead(happened_at) over (partition by source, ticket_id order by step_number) as next_at,
        lead(business_micros) over (partition by source, ticket_id order by step_number) as next_micros
    from timeline
    where step_number = 0 or event_kind in ('status', 'priority') or is_schedule_move
),

-- Only the stretches up to the end of the promise; the one that holds then is followed as if it went on.
stretches as (
    select
        instances.*,
        {{ columns_without('steps', ['source', 'ticket_id']) }}
    from instances
    inner join steps on instances.source = steps.source and instances.ticket_id = steps.ticket_id
    where
        (steps.next_at is null or (steps.next_at > steps.began_at and steps.next_at > instances.applied_at))
        and (instances.end_at is null or steps.began_at < instances.end_at or steps.began_at <= instances.applied_at)
),

-- Which promise fits: asked once for each combination, not for each ticket.
cases as (
    select distinct
        sla_metric,
        priority,
        ticket_kind,
        customer_tier,
        applied_on
    from stretches
),

fitting as (
    select
        cases.*,
        policies.precedence
    from cases
    inner join policies
        on
            cases.sla_metric = policies.sla_metric
            and cases.applied_on between policies.valid_from and policies.valid_to
            and (policies.priorities is null or {{ is_listed('cases.priority', 'policies.priorities') }})
            and (policies.ticket_kinds is null or {{ is_listed('cases.ticket_kind', 'policies.ticket_kinds') }})
            and (policies.customer_tiers is null or {{ is_listed('cases.customer_tier', 'policies.customer_tiers') }})
    qualify row_number() over (
        partition by cases.sla_metric, cases.priority, cases.ticket_kind, cases.customer_tier, cases.applied_on
        order by policies.precedence
    ) = 1
),

judged_stretches as (
    select
        stretches.*,
        fitting.precedence as precedence_in_force
    from stretches
    left join fitting
        on
            stretches.sla_metric = fitting.sla_metric
            and stretches.priority = fitting.priority
            and stretches.ticket_kind = fitting.ticket_kind
            and stretches.customer_tier = fitting.customer_tier
            and stretches.applied_on = fitting.applied_on
),

-- Each promise that ever held for an instance, over all its stretches: when it comes into force, the time spent before counts too.
candidates as (
    select distinct
        {{ key }},
        precedence_in_force as precedence
    from judged_stretches
    where precedence_in_force is not null
),

measured as (
    select
        stretches.*,
        policies.precedence,
        policies.clock,
        policies.target_micros,
        coalesce(stretches.precedence_in_force = policies.precedence, false) as is_in_force,
        not (stretches.status in ('solved', 'closed', 'deleted') or {{ is_listed('stretches.status', 'policies.pause_statuses') }}) as is_running,
        greatest(stretches.began_at, stretches.applied_at) as from_at,
        case
            when policies.clock = 'calendar' then {{ epoch_micros('greatest(stretches.began_at, stretches.applied_at)') }}
            when stretches.began_at >= stretches.applied_at then stretches.began_micros
            else stretches.applied_micros
        end as from_reading,
        case when policies.clock = 'calendar' then {{ epoch_micros('stretches.next_at') }} else stretches.next_micros end as next_reading,
        case when policies.clock = 'calendar' then {{ epoch_micros('stretches.end_at') }} else stretches.end_micros end as end_reading,
        row_number() over (
            partition by stretches.source, stretches.ticket_id, stretches.sla_metric, stretches.instance, policies.precedence
            order by stretches.began_at desc
        ) = 1 as is_last
    from judged_stretches as stretches
    inner join candidates
        on
            stretches.source = candidates.source
            and stretches.ticket_id = candidates.ticket_id
            and stretches.sla_metric = candidates.sla_metric
            and stretches.instance = candidates.instance
    inner join policies on candidates.precedence = policies.precedence
),

spent as (
    select
        *,
        case
            when not is_running then 0
            when is_last then greatest(end_reading - from_reading, 0)
            else next_reading - from_reading
        end as spent_micros
    from measured
),

running_totals as (
    select
        *,
        cast(coalesce(sum(spent_micros) over (partition by {{ key }}, precedence order by began_at rows between unbounded preceding and 1 preceding), 0) as bigint)
            as spent_before_micros
    from spent
),

-- The reading of the clock at which the target is spent, if that is in this stretch.
crossings as (
    select
        {{ key }},
        precedence,
        began_at,
        from_at,
        priority,
        clock,
        schedule_id,
        spent_before_micros > target_micros as is_spent_before,
        from_reading + target_micros - spent_before_micros as reading,
        from_reading + target_micros - spent_before_micros - shift_micros as schedule_reading
    from running_totals
    where
        is_in_force
        and (
            spent_before_micros > target_micros
            or (is_running and from_reading is not null and (is_last or next_reading - from_reading > target_micros - spent_before_micros))
        )
),

openings as (
    select * from {{ ref('int_schedule_openings') }}
    where closes_at > opens_at
),

-- The last instant at which no more than the target is spent: where it is spent at the end of a day, the next morning's opening.
instants as (
    select
        crossings.source,
        crossings.ticket_id,
        crossings.sla_metric,
        crossings.instance,
        crossings.precedence,
        crossings.began_at,
        crossings.priority,
        case
            when crossings.is_spent_before then crossings.from_at
            when crossings.clock = 'calendar' then {{ from_epoch_micros('crossings.reading') }}
            when {{ epoch_micros('openings.opens_at') }} + crossings.schedule_reading - openings.open_before_micros < {{ epoch_micros('openings.closes_at') }}
                then {{ from_epoch_micros(epoch_micros('openings.opens_at') ~ ' + crossings.schedule_reading - openings.open_before_micros') }}
        end as due_at
    from crossings
    {{ join_latest('openings', 'openings', ['crossings.schedule_id = openings.schedule_id'], 'openings.open_before_micros', 'crossings.schedule_reading') }}
),

first_crossings as (
    select
        {{ key }},
        {{ first_value_of(record(['due_at', 'precedence', 'priority']), sort_key(['due_at', 'began_at'])) }} as first_crossing
    from instants
    where due_at is not null
    group by {{ key }}
),

in_force as (
    select
        {{ key }},
        {{ last_value_of(record(['precedence', 'priority']), 'began_at') }} as last_in_force,
        bool_or(is_last) as is_in_force_at_end
    from running_totals
    where is_in_force
    group by {{ key }}
),

decided as (
    select
        in_force.source,
        in_force.ticket_id,
        in_force.sla_metric,
        in_force.instance,
        in_force.is_in_force_at_end,
        first_crossings.first_crossing.due_at as due_at,
        coalesce(first_crossings.first_crossing.precedence, in_force.last_in_force.precedence) as precedence,
        nullif(case when first_crossings.first_crossing is null then in_force.last_in_force.priority else first_crossings.first_crossing.priority end, '') as priority
    from in_force
    left join first_crossings
        on
            in_force.source = first_crossings.source
            and in_force.ticket_id = first_crossings.ticket_id
            and in_force.sla_metric = first_crossings.sla_metric
            and in_force.instance = first_crossings.instance
),

-- Who had the ticket from when on; the last word of an instant counts.
holders as (
    select
        source,
        ticket_id,
        happened_at,
        {{ last_value_of('assignee', 'step_number') }} as assignee
    from timeline
    where event_kind = 'assignee' or step_number = 0
    group by source, ticket_id, happened_at
)

select
    decided.source,
    decided.ticket_id,
    decided.sla_metric,
    cast(decided.instance as integer) as instance,
    policies.policy,
    policies.precedence as policy_precedence,
    policies.clock,
    decided.priority,
    cast(policies.target_micros / 1000000 as bigint) as target_seconds,
    totals.applied_at,
    decided.due_at,
    holders.assignee as holder_when_due,
    totals.fulfilled_at,
    totals.ended_at,
    decided.is_in_force_at_end as is_promised_at_end,
    totals.end_at is null and totals.is_end_unknown as is_end_unknown,
    case when totals.end_at is not null then {{ whole_seconds('totals.spent_before_micros + totals.spent_micros') }} end as elapsed_seconds,
    (totals.end_at is not null and totals.end_reading is null) or totals.from_reading is null as is_time_unknown,
    totals.end_at is null and totals.is_running as is_clock_running,
    totals.spent_before_micros - totals.from_reading + case when policies.clock = 'business' then totals.shift_micros else 0 end as running_micros,
    case when policies.clock = 'business' then totals.schedule_id end as running_schedule_id,
    totals.spent_before_micros,
    totals._partition_date
from decided
inner join policies on decided.precedence = policies.precedence
inner join running_totals as totals
    on
        decided.source = totals.source
        and decided.ticket_id = totals.ticket_id
        and decided.sla_metric = totals.sla_metric
        and decided.instance = totals.instance
        and decided.precedence = totals.precedence
        and totals.is_last
{{ join_latest('holders', 'holders', ['decided.source = holders.source', 'decided.ticket_id = holders.ticket_id'], 'holders.happened_at', 'decided.due_at') }}
