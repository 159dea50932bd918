-- Bills far above the customer's own median. Only a bill that is a shock against the smallest earlier bill can be one against their median, so the median is
-- taken for those few alone.
with bills as (
    select * from {{ ref('int_bills') }}
),

candidates as (
    select
        bills.*,
        cast({{ months_before('bills.bill_month', 12) }} as date) as first_month
    from bills
    where
        bills.amount >= {{ threshold('bill_shock_factor') }} * bills.smallest_before
        and bills.amount >= bills.smallest_before + {{ threshold('bill_shock_extra') }}
        and bills.bills_before >= {{ threshold('bill_shock_bills') }}
),

judged as (
    select
        candidates.source,
        candidates.account_id,
        candidates.currency,
        candidates.bill_month,
        count(*) as earlier_bills,
        median(earlier.amount) as median_amount
    from candidates
    inner join bills as earlier
        on
            candidates.source = earlier.source
            and candidates.account_id = earlier.account_id
            and candidates.currency = earlier.currency
            and candidates.first_month <= earlier.bill_month
            and candidates.bill_month > earlier.bill_month
    group by candidates.source, candidates.account_id, candidates.currency, candidates.bill_month
)

select
    candidates.source,
    candidates.account_id,
    candidates.currency,
    candidates.bill_month,
    links.customer_key,
    candidates.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    candidates.amount as bill_amount,
    cast(judged.median_amount as double) as median_amount,
    cast(judged.earlier_bills as integer) as earlier_bills,
    round(candidates.amount / nullif(judged.median_amount, 0), 9) as times_median,
    candidates.billed_on
from candidates
inner join judged
    on
        candidates.source = judged.source
        and candidates.account_id = judged.account_id
        and candidates.currency = judged.currency
        and candidates.bill_month = judged.bill_month
left join {{ ref('dim_customer_links') }} as links on candidates.customer_source = links.source and candidates.customer_id = links.customer_id
left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
where
    judged.earlier_bills >= {{ threshold('bill_shock_bills') }}
    and candidates.amount >= {{ threshold('bill_shock_factor') }} * judged.median_amount
    and candidates.amount >= judged.median_amount + {{ threshold('bill_shock_extra') }}
