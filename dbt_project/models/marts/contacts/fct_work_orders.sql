{{ config(materialized='view') }}

{%- set windows = {'': 'first_time_fix_window', '_short_window': 'first_time_fix_short_window'} %}

-- Repairs, requests, orders and incidents from the report to the word to the customer. Windows that reach past what the source has sent
-- are not final.
with work as (
    select * from {{ ref('int_ticket_work') }}
),

orders as (
    select * from work
    where work_kind = 'order'
),

-- What a source never says is unknown, not absent.
spoken as (
    select
        source,
        bool_or(work_kind = 'department_wait') as sends_waits
    from work
    group by source
),

visits as (
    select
        work.source,
        work.ticket_id,
        work.work_number,
        work.began_at,
        work.began_micros,
        work.reached_at,
        work.reached_micros,
        work.ended_at,
        work.ended_micros,
        fct_visits.visit_outcome,
        fct_visits.is_out_of_order
    from work
    inner join {{ ref('fct_visits') }} as fct_visits
        on work.source = fct_visits.source and work.ticket_id = fct_visits.ticket_id and work.work_number = fct_visits.visit_number
    where work.work_kind = 'visit'
),

visit_facts as (
    select
        source,
        ticket_id,
        count(*) filter (where visit_outcome <> 'cancelled') as visits,
        count(*) filter (where visit_outcome = 'cancelled') as cancelled_visits,
        count(*) filter (where visit_outcome = 'not_fixed') as failed_visits,
        count(*) filter (where visit_outcome in ('missed', 'no_access')) as missed_visits,
        {{ first_value_of('visit_outcome', 'work_number') }} filter (where visit_outcome <> 'cancelled') as first_outcome,
        {{ first_value_of('coalesce(ended_at, reached_at, began_at)', 'work_number') }} filter (where visit_outcome <> 'cancelled') as first_visit_ended_at,
        {{ last_value_of('visit_outcome', 'work_number') }} filter (where visit_outcome <> 'cancelled') as last_outcome,
        max(ended_at) filter (where visit_outcome = 'fixed') as fixed_at,
        max(ended_micros) filter (where visit_outcome = 'fixed') as fixed_micros,
        min(began_at) as dispatched_at,
        min(began_micros) as dispatched_micros,
        min(reached_at) as arrived_at,
        min(reached_micros) as arrived_micros,
        bool_or(is_out_of_order) as is_out_of_order
    from visits
    group by source, ticket_id
),

reopenings as (
    select
        source,
        ticket_id,
        began_at
    from work
    where work_kind = 'reopening'
),

last_reopenings as (
    select
        source,
        ticket_id,
        max(began_at) as last_reopened_at
    from reopenings
    group by source, ticket_id
),

notices as (
    select
        source,
        ticket_id,
        began_at as told_at,
        began_micros as told_micros
    from work
    where work_kind = 'notice'
),

lives as (
    select
        facts.source,
        facts.ticket_id,
        facts.customer_id,
        facts.customer_source,
        facts.agent_id,
        facts.org_unit_id,
        facts.channel,
        facts.touch_point,
        facts.product_line,
        facts.ticket_kind,
        facts.topic,
        facts.priority,
        facts.asset_id,
        facts.asset_kind,
        facts.fault_code,
        facts.is_in_base,
        coalesce(facts.lifecycle_status in ('solved', 'closed'), false) as is_done,
        facts.ticket_kind in ('repair', 'incident') as is_fault,
        orders.began_at as reported_at,
        orders.began_micros as reported_micros,
        orders.reached_at as accepted_at,
        orders.reached_micros as accepted_micros,
        orders.ended_at as solved_at,
        orders.ended_micros as solved_micros,
        {{ columns_without('visit_facts', ['source', 'ticket_id', 'is_out_of_order']) }},
        coalesce(visit_facts.is_out_of_order, false) as is_visit_out_of_order,
        visit_facts.last_outcome = 'fixed' and coalesce(last_reopenings.last_reopened_at <= visit_facts.fixed_at, true) as is_fixed_by_visit,
        horizons.known_until,
        spoken.sends_waits
    from orders
    inner join {{ ref('int_ticket_facts') }} as facts on orders.source = facts.source and orders.ticket_id = facts.ticket_id
    inner join {{ ref('int_ticket_horizons') }} as horizons on orders.source = horizons.source
    inner join spoken on orders.source = spoken.source
    left join visit_facts on orders.source = visit_facts.source and orders.ticket_id = visit_facts.ticket_id
    left join last_reopenings on orders.source = last_reopenings.source and orders.ticket_id = last_reopenings.ticket_id
),

finished as (
    select
        *,
        case when is_fixed_by_visit then fixed_at when is_done then solved_at end as finished_at,
        case when is_fixed_by_visit then fixed_micros when is_done then solved_micros end as finished_micros
    from lives
),

told as (
    select
        finished.source,
        finished.ticket_id,
        min(notices.told_at) as told_at,
        min(notices.told_micros) as told_micros
    from finished
    inner join notices on finished.source = notices.source and finished.ticket_id = notices.ticket_id and finished.finished_at <= notices.told_at
    group by finished.source, finished.ticket_id
),

told_kinds as (
    select distinct
        lives.source,
        lives.ticket_kind
    from lives
    inner join notices on lives.source = notices.source and lives.ticket_id = notices.ticket_id
),

faults as (
    select
        source,
        asset_id,
        fault_code,
        reported_at
    from lives
    where is_fault and is_in_base and asset_id is not null
),

reopened as (
    select
        finished.source,
        finished.ticket_id,
        min(reopenings.began_at) as reopened_after_first_visit_at
    from finished
    inner join reopenings
        on finished.source = reopenings.source and finished.ticket_id = reopenings.ticket_id and finished.first_visit_ended_at <= reopenings.began_at
    group by finished.source, finished.ticket_id
),

-- What came to the asset after the first visit, and after the work was finished. A look-up sorts what it is given, so it gets no more
-- than it needs.
on_assets as (
    select
        source,
        ticket_id,
        asset_id,
        fault_code,
        first_visit_ended_at,
        finished_at
    from finished
    where asset_id is not null and coalesce(first_visit_ended_at, finished_at) is not null
),

revisited as (
    select
        on_assets.*,
        faults.reported_at as next_fault_after_first_visit_at
    from on_assets
    {{ join_next(
        'faults', 'faults', ['on_assets.source = faults.source', 'on_assets.asset_id = faults.asset_id'],
        'faults.reported_at', 'on_assets.first_visit_ended_at', after=true
    ) }}
),

repeated as (
    select
        revisited.*,
        faults.reported_at as next_fault_at
    from revisited
    {{ join_next(
        'faults', 'faults', ['revisited.source = faults.source', 'revisited.asset_id = faults.asset_id'],
        'faults.reported_at', 'revisited.finished_at', after=true
    ) }}
),

same_repeated as (
    select
        repeated.*,
        faults.reported_at as next_same_fault_at
    from repeated
    {{ join_next(
        'faults', 'faults',
        ['repeated.source = faults.source', 'repeated.asset_id = faults.asset_id', 'repeated.fault_code = faults.fault_code'],
        'faults.reported_at', 'repeated.finished_at', after=true
    ) }}
),

followed as (
    select
        finished.*,
        told.told_at,
        told.told_micros,
        reopened.reopened_after_first_visit_at,
        same_repeated.next_fault_after_first_visit_at,
        same_repeated.next_fault_at,
        same_repeated.next_same_fault_at
    from finished
    left join told on finished.source = told.source and finished.ticket_id = told.ticket_id
    left join reopened on finished.source = reopened.source and finished.ticket_id = reopened.ticket_id
    left join same_repeated on finished.source = same_repeated.source and finished.ticket_id = same_repeated.ticket_id
),

-- Waits for several departments at once are one stretch of time.
wait_spans as (
    select
        work.source,
        work.ticket_id,
        greatest(work.began_at, lives.reported_at) as began_at,
        least(coalesce(work.ended_at, lives.solved_at), lives.solved_at) as ended_at
    from work
    inner join lives on work.source = lives.source and work.ticket_id = lives.ticket_id
    where work.work_kind = 'department_wait' and work.began_at is not null and lives.is_done
),

ordered_spans as (
    select
        *,
        max(ended_at) over (partition by source, ticket_id order by began_at, ended_at rows between unbounded preceding and 1 preceding) as covered_until
    from wait_spans
    where ended_at > began_at
),

wait_facts as (
    select
        source,
        ticket_id,
        sum(greatest(0, {{ seconds_between('greatest(began_at, coalesce(covered_until, began_at))', 'ended_at') }})) as department_wait_seconds
    from ordered_spans
    group by source, ticket_id
),

wait_counts as (
    select
        source,
        ticket_id,
        count(began_at) as department_waits
    from work
    where work_kind = 'department_wait'
    group by source, ticket_id
),

judged as (
    select
        followed.*,
        customers.customer_kind,
        links.customer_key,
        units.time_zone,
        told_kinds.source is not null as is_of_told_kind,
        coalesce(wait_counts.department_waits, 0) as department_waits,
        case
            when followed.is_done and followed.sends_waits and followed.solved_at >= followed.reported_at then coalesce(wait_facts.department_wait_seconds, 0)
        end as department_wait_seconds,
        case when followed.is_done then {{ span_seconds('followed.reported', 'followed.solved') }} end as resolution_seconds,
        coalesce(followed.visits, 0) > 0 and followed.first_outcome not in ('running', 'unknown') as is_first_visit_known,
        coalesce(followed.first_outcome = 'fixed' and followed.visits = 1, false) as is_fixed_without_second_visit,
        {{ seconds_between('followed.first_visit_ended_at', 'followed.known_until') }} as seconds_after_first_visit,
        {{ seconds_between('followed.first_visit_ended_at', 'least(followed.reopened_after_first_visit_at, followed.next_fault_after_first_visit_at)') }} as seconds_to_trouble,
        {{ seconds_between('followed.finished_at', 'followed.known_until') }} as seconds_after_finish,
        {{ seconds_between('followed.finished_at', 'followed.next_fault_at') }} as seconds_to_next_fault,
        {{ seconds_between('followed.finished_at', 'followed.next_same_fault_at') }} as seconds_to_next_same_fault
    from followed
    left join told_kinds on followed.source = told_kinds.source and followed.ticket_kind is not distinct from told_kinds.ticket_kind
    left join wait_facts on followed.source = wait_facts.source and followed.ticket_id = wait_facts.ticket_id
    left join wait_counts on followed.source = wait_counts.source and followed.ticket_id = wait_counts.ticket_id
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(followed.customer_source, followed.source) = links.source and followed.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on followed.org_unit_id = units.org_unit_id
)

select
    source,
    ticket_id,
    customer_key,
    agent_id,
    org_unit_id,
    {{ or_unknown('customer_kind') }} as customer_kind,
    {{ or_unknown('channel') }} as channel,
    touch_point,
    {{ or_unknown('product_line') }} as product_line,
    {{ or_unknown('ticket_kind') }} as ticket_kind,
    {{ or_unknown('topic') }} as topic,
    {{ or_unknown('priority') }} as priority,
    asset_id,
    {{ or_unknown('asset_kind') }} as asset_kind,
    {{ or_unknown('fault_code') }} as fault_code,
    is_in_base,
    coalesce(is_fault, false) as is_fault,
    finished_at is not null as is_finished,
    cast(coalesce(visits, 0) as integer) as visits,
    cast(coalesce(failed_visits, 0) as integer) as failed_visits,
    cast(coalesce(missed_visits, 0) as integer) as missed_visits,
    cast(coalesce(cancelled_visits, 0) as integer) as cancelled_visits,
    cast(department_waits as integer) as department_waits,
    is_visit_out_of_order or coalesce(accepted_at < reported_at or finished_at < reported_at, false) as is_out_of_order,
    case when is_first_visit_known then is_fixed_without_second_visit end as is_fixed_at_first_visit,
    {%- for suffix, name in windows.items() %}
    case when is_first_visit_known then seconds_after_first_visit >= {{ threshold(name) }} end as is_fix_final{{ suffix }},
    case
        when is_first_visit_known and seconds_after_first_visit >= {{ threshold(name) }}
            then is_fixed_without_second_visit and coalesce(seconds_to_trouble > {{ threshold(name) }}, true)
    end as is_first_time_fix{{ suffix }},
    {%- endfor %}
    case
        when is_fault and asset_id is not null and seconds_after_finish >= {{ threshold('first_time_fix_window') }}
            then coalesce(seconds_to_next_fault <= {{ threshold('first_time_fix_window') }}, false)
    end as is_fault_repeated,
    case
        when is_fault and asset_id is not null and fault_code is not null and seconds_after_finish >= {{ threshold('first_time_fix_window') }}
            then coalesce(seconds_to_next_same_fault <= {{ threshold('first_time_fix_window') }}, false)
    end as is_same_fault_repeated,
    case
        when is_of_told_kind and seconds_after_finish >= {{ threshold('tell_window') }}
            then coalesce({{ seconds_between('finished_at', 'told_at') }} <= {{ threshold('tell_window') }}, false)
    end as is_told_in_time,
    {%- for span, earlier, later in [
        ('accept', 'reported', 'accepted'), ('dispatch', 'reported', 'dispatched'), ('arrive', 'reported', 'arrived'),
        ('finish', 'reported', 'finished'), ('tell', 'finished', 'told'),
    ] %}
    {{ span_seconds(earlier, later) }} as {{ span }}_seconds,
    {{ span_business_seconds(earlier, later) }} as {{ span }}_business_seconds,
    {%- endfor %}
    resolution_seconds,
    cast(department_wait_seconds as bigint) as department_wait_seconds,
    reported_at,
    accepted_at,
    dispatched_at,
    arrived_at,
    finished_at,
    told_at,
    next_fault_at,
    {{ local_day('reported_at', 'time_zone') }} as reported_on
from judged
