-- Customers whose last contract has ended, as of the last day of the data. Who owes money, or was asked to come back lately, is on the list but no candidate.
with until_day as (
    select {{ contracts_known_until() }} as until
),

last_lifetimes as (
    select lifetimes.*
    from {{ ref('int_customer_lifetimes') }} as lifetimes
    cross join until_day
    where lifetimes.started_on <= until_day.until
    qualify row_number() over (partition by lifetimes.customer_key order by lifetimes.lifetime_number desc) = 1
),

gone as (
    select
        last_lifetimes.*,
        until_day.until
    from last_lifetimes
    cross join until_day
    where last_lifetimes.ended_on < until_day.until
),

owing as (
    select
        links.customer_key,
        sum(pieces.amount) as overdue_amount
    from {{ ref('int_receivables') }} as pieces
    cross join until_day
    inner join {{ ref('dim_customer_links') }} as links on pieces.customer_source = links.source and pieces.customer_id = links.customer_id
    where pieces.settled_on is null and until_day.until > pieces.due_on and pieces.currency = {{ main_currency() }}
    group by links.customer_key
),

asked as (
    select
        gone.customer_key,
        max(offers.offered_on) as last_asked_on
    from gone
    inner join {{ ref('fct_retention_offers') }} as offers on gone.customer_key = offers.customer_key and gone.ended_on < offers.offered_on
    where offers.goal = 'win_back' and offers.action_kind in ('offer', 'win_back')
    group by gone.customer_key
),

judged as (
    select
        gone.*,
        gone.until - gone.ended_on as days_gone,
        coalesce(owing.overdue_amount, 0) as overdue_amount,
        asked.last_asked_on,
        case
            when owing.overdue_amount > 0 then 'owes'
            when asked.last_asked_on + cast({{ threshold('win_back_rest_days') }} as integer) >= gone.until then 'asked_lately'
        end as reason
    from gone
    left join owing on gone.customer_key = owing.customer_key
    left join asked on gone.customer_key = asked.customer_key
)

select
    judged.customer_key,
    judged.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    {{ or_unknown('judged.product_line') }} as product_line,
    {{ or_unknown('judged.end_reason') }} as end_reason,
    {{ or_unknown('departures.churn_type') }} as churn_type,
    {{ or_unknown('departures.main_cause') }} as main_cause,
    {{ customer_band('fee', 'judged.last_fee') }} as fee_class,
    {{ customer_band('days_gone', 'judged.days_gone') }} as gone_class,
    judged.lifetime_number,
    judged.started_on,
    judged.last_fee,
    cast(judged.days_gone as integer) as days_gone,
    cast(judged.overdue_amount as decimal(18, 2)) as overdue_amount,
    judged.last_asked_on,
    judged.reason is null as is_candidate,
    judged.reason,
    judged.until as as_of,
    judged.ended_on as lost_on
from judged
left join {{ ref('dim_customers') }} as customers on judged.customer_key = customers.customer_key
left join {{ ref('fct_churn_events') }} as departures
    on judged.customer_key = departures.customer_key and judged.ended_on = departures.left_on and departures.is_customer_departure
