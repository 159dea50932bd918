-- Each promise by the clock of the mart that knows whether it was kept: the day of the decision, of the ticket, of the answer, of the report.
with counted as (
    select
        'timeliness' as promise,
        ticket_kind,
        org_unit_id,
        channel,
        product_line,
        customer_kind,
        cast(date_trunc('month', decided_on) as date) as month_start,
        count(*) filter (where is_met) as kept,
        count(*) as due
    from {{ ref('fct_ticket_slas') }}
    where is_in_base and (is_met or is_breached)
    group by all
    union all
    select
        'effectiveness' as promise,
        ticket_kind,
        org_unit_id,
        channel,
        product_line,
        customer_kind,
        cast(date_trunc('month', created_on) as date) as month_start,
        count(*) filter (where is_solved and not is_reopened) as kept,
        count(*) as due
    from {{ ref('fct_tickets') }}
    where is_in_base and was_solved
    group by all
    union all
    select
        'satisfaction' as promise,
        ticket_kind,
        org_unit_id,
        channel,
        product_line,
        customer_kind,
        cast(date_trunc('month', responded_on) as date) as month_start,
        count(*) filter (where is_csat_satisfied) as kept,
        count(*) as due
    from {{ ref('fct_survey_answers') }}
    where is_csat
    group by all
    union all
    select
        'information' as promise,
        ticket_kind,
        org_unit_id,
        channel,
        product_line,
        customer_kind,
        cast(date_trunc('month', reported_on) as date) as month_start,
        count(*) filter (where is_told_in_time) as kept,
        count(*) as due
    from {{ ref('fct_work_orders') }}
    where is_in_base and is_told_in_time is not null
    group by all
)

select
    md5(
        concat_ws(
            '|', kinds.promise_kind, counted.promise, coalesce(counted.org_unit_id, 'none'), counted.channel, counted.product_line, counted.customer_kind,
            counted.month_start
        )
    ) as promise_row_id,
    kinds.promise_kind,
    counted.promise,
    counted.org_unit_id,
    counted.channel,
    counted.product_line,
    counted.customer_kind,
    cast(sum(counted.kept) as bigint) as kept,
    cast(sum(counted.due) as bigint) as due,
    counted.month_start
from counted
inner join {{ ref('promise_kinds') }} as kinds on counted.ticket_kind = kinds.ticket_kind
group by all
