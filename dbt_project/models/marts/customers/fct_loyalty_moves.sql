-- From rung to rung over a quarter. A customer who came in the quarter has no rung before; one who left is on the rung `left`.
with rows as (
    select
        loyalty.quarter_number,
        loyalty.quarter_end,
        loyalty.customer_kind,
        loyalty.rung_before,
        loyalty.rung,
        loyalty.monthly_fee
    from {{ ref('fct_customer_loyalty') }} as loyalty
    where loyalty.is_complete and (loyalty.rung_before <> 'unknown' or loyalty.quarters_on_rung = 1)
)

select
    rows.quarter_end,
    rows.customer_kind,
    case when rows.rung_before = 'unknown' then 'joined' else rows.rung_before end as rung_before,
    rows.rung,
    cast(count(*) as bigint) as customers,
    cast(sum(coalesce(rows.monthly_fee, 0)) as decimal(18, 2)) as monthly_fee
from rows
group by all
