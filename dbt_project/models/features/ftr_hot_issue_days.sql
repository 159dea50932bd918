-- Customers, not cases: one who complains about a topic and product in a place again within the longest window is counted on the first day only, so days can
-- be added up within a window. Who is not identified counts once a case. The place is the province.
with cases as (
    select
        coalesce(complaints.customer_key, complaints.complaint_id) as customer,
        {{ or_unknown('complaints.cause') }} as topic,
        complaints.product_line,
        {{ or_unknown('units.province_id') }} as province_id,
        complaints.opened_on
    from {{ ref('fct_complaints') }} as complaints
    left join {{ ref('dim_org_units') }} as units on complaints.org_unit_id = units.org_unit_id
),

-- The last day of the data; while it is not over it can only look quieter than it is.
ends as (
    select max(cases.opened_on) as as_of
    from cases
),

customer_days as (
    select distinct
        customer,
        topic,
        product_line,
        province_id,
        opened_on
    from cases
),

first_days as (
    select
        *,
        lag(opened_on) over (partition by customer, topic, product_line, province_id order by opened_on) as previous_on
    from customer_days
)

select
    first_days.topic,
    first_days.province_id,
    first_days.product_line,
    first_days.opened_on,
    cast(count(*) as integer) as customers,
    ends.as_of
from first_days
cross join ends
where first_days.previous_on is null or {{ days_after('first_days.previous_on', 'first_days.opened_on') }} > {{ threshold('hot_window_days') }}
group by first_days.topic, first_days.province_id, first_days.product_line, first_days.opened_on, ends.as_of
