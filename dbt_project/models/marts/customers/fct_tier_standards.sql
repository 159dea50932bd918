-- What a grade was promised against what its customers received. Judged is what is decided: who hung up before the promised wait was over, and what is still
-- within its time, is neither kept nor broken.
with standards as (
    select
        standards.standard,
        standards.grade,
        standards.promised,
        coalesce(standards.valid_from, date '1900-01-01') as valid_from,
        coalesce(lead(standards.valid_from) over (partition by standards.standard, standards.grade order by standards.valid_from nulls first), date '9999-12-31') as valid_to
    from {{ ref('service_standards') }} as standards
),

as_of as (
    select
        (select max(tickets.created_at) from {{ ref('fct_tickets') }} as tickets) as ticket_until
),

received as (
    select
        'call_wait_seconds' as standard,
        calls.customer_tier as grade,
        calls.started_on as received_on,
        calls.is_answered as is_done,
        cast(calls.wait_seconds as double) as received,
        cast(calls.wait_seconds as double) as age
    from {{ ref('fct_calls') }} as calls
    where (calls.is_answered or calls.is_abandoned) and calls.wait_seconds is not null
    union all
    select
        'first_reply_minutes' as standard,
        tickets.customer_tier as grade,
        tickets.created_on as received_on,
        tickets.first_reply_business_seconds is not null as is_done,
        tickets.first_reply_business_seconds / 60.0 as received,
        {{ seconds_between('tickets.created_at', 'as_of.ticket_until') }} / 60.0 - 1440 as age
    from {{ ref('fct_tickets') }} as tickets
    cross join as_of
    where tickets.is_in_base and tickets.channel <> 'phone' and (tickets.first_reply_business_seconds is not null or not tickets.is_solved)
    union all
    select
        'resolution_hours' as standard,
        tickets.customer_tier as grade,
        tickets.created_on as received_on,
        tickets.full_resolution_seconds is not null as is_done,
        tickets.full_resolution_seconds / 3600.0 as received,
        {{ seconds_between('tickets.created_at', 'as_of.ticket_until') }} / 3600.0 as age
    from {{ ref('fct_tickets') }} as tickets
    cross join as_of
    where tickets.is_in_base and (tickets.full_resolution_seconds is not null or not tickets.is_solved)
),

judged as (
    select
        received.standard,
        received.grade,
        {{ month_number('received.received_on') }} as month_number,
        received.received,
        coalesce(own.promised, every.promised) as promised,
        received.is_done and received.received <= coalesce(own.promised, every.promised) as is_kept,
        received.is_done or received.age > coalesce(own.promised, every.promised) as is_judged
    from received
    left join standards as own
        on received.standard = own.standard and received.grade = own.grade and received.received_on >= own.valid_from and received.received_on < own.valid_to
    left join standards as every
        on received.standard = every.standard and every.grade = '*' and received.received_on >= every.valid_from and received.received_on < every.valid_to
    where coalesce(own.promised, every.promised) is not null
),

counted as (
    select
        judged.standard,
        judged.grade,
        judged.month_number,
        max(judged.promised) as promised,
        count(*) filter (where judged.is_judged) as judged_cases,
        count(*) filter (where judged.is_judged and judged.is_kept) as kept_cases,
        quantile_disc(judged.received, 0.5) filter (where judged.is_judged) as median_received
    from judged
    group by judged.standard, judged.grade, judged.month_number
),

-- The base is the lowest grade of the default scheme: what everybody gets.
base as (
    select arg_max(schemes.grade, schemes.grade_rank) as grade
    from {{ ref('tier_schemes') }} as schemes
    where schemes.is_default
),

bounded as (
    select
        counted.*,
        counted.kept_cases / cast(nullif(counted.judged_cases, 0) as double) as attainment,
        {{ wilson_bound('counted.kept_cases', 'counted.judged_cases', '-') }} as attainment_low,
        {{ wilson_bound('counted.kept_cases', 'counted.judged_cases', '+') }} as attainment_high
    from counted
)

select
    bounded.standard,
    bounded.grade,
    base.grade as base_grade,
    bounded.promised,
    bounded.judged_cases,
    bounded.kept_cases,
    round(bounded.attainment, 9) as attainment,
    round(bounded.attainment_low, 9) as attainment_low,
    round(bounded.attainment_high, 9) as attainment_high,
    bounded.median_received,
    round(bounded.attainment - lowest.attainment, 9) as gap_to_base,
    round(
        bounded.attainment - lowest.attainment
        - sqrt(power(bounded.attainment - bounded.attainment_low, 2) + power(lowest.attainment_high - lowest.attainment, 2)), 9
    ) as gap_low,
    round(
        bounded.attainment - lowest.attainment
        + sqrt(power(bounded.attainment_high - bounded.attainment, 2) + power(lowest.attainment - lowest.attainment_low, 2)), 9
    ) as gap_high,
    bounded.judged_cases < {{ threshold('tier_minimum_base') }} or coalesce(lowest.judged_cases, 0) < {{ threshold('tier_minimum_base') }} as is_small_base,
    {{ month_from_number('bounded.month_number') }} as received_month
from bounded
cross join base
left join bounded as lowest
    on base.grade = lowest.grade and bounded.standard = lowest.standard and bounded.month_number = lowest.month_number and bounded.grade <> base.grade
