-- Two neighbouring quarters of a customer: how satisfied he was at the end of the first, and how loyal then and after the second. An attitude after it counts only where it was
-- said in the second quarter, so that no answer stands on both sides.
with loyalty as (
    select * from {{ ref('fct_customer_loyalty') }}
),

pairs as (
    select
        earlier.customer_key,
        earlier.quarter_number,
        earlier.customer_kind,
        earlier.stay_band,
        earlier.satisfaction,
        earlier.attitude as attitude_before,
        case when later.said_on > earlier.quarter_end then later.attitude end as attitude_after,
        earlier.behaviour as behaviour_before,
        later.behaviour as behaviour_after,
        case later.customer_state when 'left' then 0.0 when 'customer' then 100.0 end as stayed
    from loyalty as earlier
    inner join loyalty as later on earlier.customer_key = later.customer_key and later.quarter_number = earlier.quarter_number + 1
    where earlier.customer_state = 'customer' and earlier.satisfaction is not null and earlier.is_complete and later.is_complete
)

select
    pairs.customer_key,
    pairs.quarter_number,
    pairs.customer_kind,
    pairs.stay_band,
    'attitude' as outcome,
    pairs.satisfaction,
    pairs.attitude_before as level_before,
    pairs.attitude_after as level_after
from pairs
where pairs.attitude_before is not null and pairs.attitude_after is not null
union all
select
    pairs.customer_key,
    pairs.quarter_number,
    pairs.customer_kind,
    pairs.stay_band,
    'behaviour' as outcome,
    pairs.satisfaction,
    pairs.behaviour_before as level_before,
    pairs.behaviour_after as level_after
from pairs
where pairs.behaviour_before is not null and pairs.behaviour_after is not null
union all
select
    pairs.customer_key,
    pairs.quarter_number,
    pairs.customer_kind,
    pairs.stay_band,
    'stay' as outcome,
    pairs.satisfaction,
    pairs.behaviour_before as level_before,
    pairs.stayed as level_after
from pairs
where pairs.behaviour_before is not null and pairs.stayed is not null
