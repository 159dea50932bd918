-- Each stage of a case against its promise. The clock is that of the schedule under which the opening ticket was created; what is not reached yet is judged at
-- the newest event of the source.
{%- set stages = {
    'accept': ['opened_at', 'accepted_at'], 'dispatch': ['opened_at', 'dispatched_at'], 'first_answer': ['opened_at', 'first_answered_at'],
    'close': ['opened_at', 'closed_at'], 'tell': ['closed_at', 'told_at'],
} %}
with stages as (
    {%- for stage, moments in stages.items() %}
    select
        complaint_id,
        source,
        customer_key,
        org_unit_id,
        schedule_id,
        customer_kind,
        channel,
        product_line,
        ticket_kind,
        cause,
        priority,
        complaint_rule,
        '{{ stage }}' as complaint_stage,
        {{ moments[0] }} as began_at,
        {{ moments[1] }} as reached_at,
        {% if stage == 'close' %}is_closed is not false and closed_at is null{% else %}false{% endif %} as is_instant_unknown,
        opened_on,
        known_until
    from {{ ref('fct_complaints') }}
    where {{ moments[0] }} is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- A source that never says a stage leaves it unknown.
said as (
    select distinct
        source,
        complaint_stage
    from stages
    where reached_at is not null
),

promises as (
    select
        precedence,
        policy,
        stage,
        channels,
        product_lines,
        customer_kinds,
        priorities,
        target_seconds,
        clock,
        coalesce(valid_from, date '1900-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from {{ ref('complaint_promises') }}
),

kinds as (
    select distinct
        complaint_stage,
        channel,
        product_line,
        customer_kind,
        priority,
        opened_on
    from stages
),

-- Which promise holds, once for each combination, not for each case.
held as (
    select
        kinds.*,
        {{ first_value_of('promises.policy', 'promises.precedence') }} as policy,
        {{ first_value_of('promises.target_seconds', 'promises.precedence') }} as target_seconds,
        {{ first_value_of('promises.clock', 'promises.precedence') }} as clock
    from kinds
    inner join promises
        on
            kinds.complaint_stage = promises.stage
            and (promises.channels is null or {{ is_listed('kinds.channel', 'promises.channels') }})
            and (promises.product_lines is null or {{ is_listed('kinds.product_line', 'promises.product_lines') }})
            and (promises.customer_kinds is null or {{ is_listed('kinds.customer_kind', 'promises.customer_kinds') }})
            and (promises.priorities is null or {{ is_listed('kinds.priority', 'promises.priorities') }})
            and kinds.opened_on between promises.valid_from and promises.valid_to
    group by all
),

timed as (
    select
        stages.*,
        said.source is not null as is_said,
        held.policy,
        held.clock,
        held.target_seconds,
        coalesce(stages.schedule_id, '') as clock_schedule,
        coalesce(stages.reached_at, stages.known_until, stages.began_at) as until_at
    from stages
    left join said on stages.source = said.source and stages.complaint_stage = said.complaint_stage
    left join held
        on
            stages.complaint_stage = held.complaint_stage and stages.channel = held.channel and stages.product_line = held.product_line
            and stages.customer_kind = held.customer_kind and stages.priority = held.priority and stages.opened_on = held.opened_on
),

begun as (
    select
        timed.*,
        {{ open_micros('opening', 'timed.began_at') }} as began_micros
    from timed
    {{ join_latest(ref('int_schedule_openings'), 'opening', ['timed.clock_schedule = opening.schedule_id'], 'opening.opens_at', 'timed.began_at') }}
),

ended as (
    select
        begun.*,
        {{ open_micros('opening', 'begun.until_at') }} as until_micros
    from begun
    {{ join_latest(ref('int_schedule_openings'), 'opening', ['begun.clock_schedule = opening.schedule_id'], 'opening.opens_at', 'begun.until_at') }}
),

spent as (
    select
        *,
        {{ seconds_between('began_at', 'until_at') }} as calendar_seconds,
        {{ whole_seconds('until_micros - began_micros') }} as business_seconds
    from ended
),

judged as (
    select
        *,
        case clock when 'business' then business_seconds else calendar_seconds end as spent_seconds
    from spent
)

select
    complaint_id,
    complaint_stage,
    source,
    customer_key,
    org_unit_id,
    customer_kind,
    channel,
    product_line,
    ticket_kind,
    cause,
    priority,
    complaint_rule,
    {{ or_unknown('policy') }} as policy,
    {{ or_unknown('clock') }} as clock,
    cast(target_seconds as bigint) as target_seconds,
    reached_at is not null as is_reached,
    case
        when target_seconds is null then 'no_promise'
        when not is_said or is_instant_unknown or spent_seconds is null or spent_seconds < 0 then 'unknown'
        when spent_seconds > target_seconds then 'breached'
        when reached_at is not null then 'met'
        else 'running'
    end as stage_state,
    cast(case when reached_at is not null and calendar_seconds >= 0 then calendar_seconds end as bigint) as calendar_seconds,
    cast(case when reached_at is not null and business_seconds >= 0 then business_seconds end as bigint) as business_seconds,
    case when reached_at is null and is_said and not is_instant_unknown then cast(calendar_seconds as bigint) end as waiting_seconds,
    began_at,
    reached_at,
    opened_on
from judged
