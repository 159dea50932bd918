-- Complaints by day, and customers by month, of each unit: what effects of actions are counted from.
with ends as (
    select max({{ local_day('complaints.known_until', 'units.time_zone') }}) as as_of
    from {{ ref('fct_complaints') }} as complaints
    left join {{ ref('dim_org_units') }} as units on complaints.org_unit_id = units.org_unit_id
)

select
    'complaints' as part,
    causes.org_unit_id,
    {{ root_cause_or_topic('causes') }} as cause,
    causes.symptom as topic,
    causes.opened_on as counted_on,
    cast(count(*) as bigint) as units,
    any_value(ends.as_of) as as_of
from {{ ref('fct_complaint_causes') }} as causes
cross join ends
where causes.org_unit_id is not null and causes.opened_on <= ends.as_of
group by causes.org_unit_id, {{ root_cause_or_topic('causes') }}, causes.symptom, causes.opened_on
union all
select
    'customers' as part,
    rates.org_unit_id,
    'none' as cause,
    'none' as topic,
    rates.month_begin as counted_on,
    cast(sum(rates.units) as bigint) as units,
    any_value(ends.as_of) as as_of
from {{ ref('fct_complaint_rates') }} as rates
cross join ends
where rates.rate_part = 'customers' and rates.org_unit_id is not null
group by rates.org_unit_id, rates.month_begin
