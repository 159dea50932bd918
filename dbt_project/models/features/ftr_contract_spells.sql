-- Which contract follows which. A contract goes on in the next one of its product line when that begins within the days of grace: its end is then moved to the eve
-- of the next one, so that a change of plan is neither a loss nor a gain. Contracts of one line may overlap; a line is left when the last of them ends.
-- A holder is the real customer; who is not identified is held apart by his id in the source, else by the account, else by the contract.
{% set grace = "cast(" ~ threshold('churn_gap_days') ~ " as integer)" %}
with used as (
    select
        subscriptions.*,
        {{ delivery_day('subscriptions._delivery') }} as delivered_on
    from {{ ref('int_subscriptions') }} as subscriptions
    where subscriptions._status = 'used'
),

-- What is known of a source begins with the month of the first end that it tells of: contracts that ended earlier are not among its rows.
horizons as (
    select
        used.source,
        coalesce(max(used.delivered_on), max(used.started_on)) as known_until,
        coalesce(
            any_value(o.observed_from), {{ month_start_of('min(used.ended_on)') }}, {{ month_start_of('min(used.started_on)') }}
        ) as observed_from
    from used
    left join {{ ref('churn_observation') }} as o on used.source = o.source
    group by used.source
),

-- Fees of one currency only can be added: that of most contracts.
currencies as (
    select arg_min(counted.currency, {{ sort_key(['-counted.contracts', 'counted.currency']) }}) as currency
    from (
        select
            used.currency,
            count(*) as contracts
        from used
        where used.currency is not null
        group by used.currency
    ) as counted
),

held as (
    select
        used.source,
        used.subscription_id,
        used.account_id,
        coalesce(links.customer_key, concat(used.source, ':', coalesce(used.customer_id, used.account_id, used.subscription_id))) as holder_key,
        links.customer_key,
        coalesce(customers.org_unit_id, used.org_unit_id) as org_unit_id,
        {{ or_unknown('customers.customer_kind') }} as customer_kind,
        {{ or_unknown('used.product_line') }} as product_line,
        used.end_reason,
        used.contract_months,
        case when used.currency <> currencies.currency then 0 else coalesce(used.monthly_fee, 0) end as monthly_fee,
        coalesce(used.currency <> currencies.currency, false) as is_other_currency,
        used.started_on,
        case when used.ended_on <= horizons.known_until then used.ended_on else date '9999-12-31' end as last_on,
        horizons.known_until,
        horizons.observed_from
    from used
    inner join horizons on used.source = horizons.source
    cross join currencies
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(used.customer_source, used.source) = links.source and used.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    where used.started_on <= horizons.known_until
),

-- A holder with contracts in several sources is known as long as any of them tells of him.
chained as (
    select
        held.*,
        max(held.last_on) over line_before as line_reached,
        max(held.last_on) over holder_before as holder_reached,
        lead(held.started_on) over line_order as next_started_on
    from held
    window
        line_order as (partition by held.holder_key, held.product_line order by held.started_on, held.last_on, held.source, held.subscription_id),
        line_before as (
            partition by held.holder_key, held.product_line order by held.started_on, held.last_on, held.source, held.subscription_id
            rows between unbounded preceding and 1 preceding
        ),
        holder_before as (
            partition by held.holder_key order by held.started_on, held.last_on, held.source, held.subscription_id
            rows between unbounded preceding and 1 preceding
        )
),

opened as (
    select
        chained.*,
        coalesce(chained.started_on - chained.line_reached - 1 > {{ grace }}, true) as opens_line,
        coalesce(chained.started_on - chained.holder_reached - 1 > {{ grace }}, true) as opens_holder,
        case
            when
                chained.next_started_on > chained.last_on + 1
                and chained.next_started_on - chained.last_on - 1 <= {{ grace }}
                and chained.last_on >= coalesce(chained.line_reached, chained.last_on)
                then chained.next_started_on - 1
            else chained.last_on
        end as counted_until
    from chained
)

select
    opened.source,
    opened.subscription_id,
    opened.account_id,
    opened.holder_key,
    opened.customer_key,
    opened.org_unit_id,
    opened.customer_kind,
    opened.product_line,
    opened.end_reason,
    opened.contract_months,
    opened.monthly_fee,
    opened.is_other_currency,
    max(case when opened.opens_line then opened.started_on end) over (
        partition by opened.holder_key, opened.product_line order by opened.started_on, opened.last_on, opened.source, opened.subscription_id
        rows between unbounded preceding and current row
    ) as line_began_on,
    max(case when opened.opens_holder then opened.started_on end) over (
        partition by opened.holder_key order by opened.started_on, opened.last_on, opened.source, opened.subscription_id
        rows between unbounded preceding and current row
    ) as holder_began_on,
    opened.started_on,
    opened.last_on,
    opened.counted_until,
    opened.known_until,
    opened.observed_from
from opened
