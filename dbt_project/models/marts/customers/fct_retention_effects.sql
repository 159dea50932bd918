-- What an action added: the share reached of the treated less that of the held-out, by intention to treat: who was offered something counts, taken or not.
-- Of one campaign with the interval of Newcombe (1998, method 10) from the two Wilson intervals; of several together with equal campaigns compared with each
-- other (Mantel-Haenszel) and the variance of Sato (1989), because campaigns hold out different shares.
with horizons as (
    select unnest(['short', 'long']) as horizon
),

outcomes as (
    select
        offers.campaign_id,
        offers.action_kind,
        offers.goal,
        offers.customer_kind,
        offers.fee_class,
        offers.assignment,
        offers.is_accepted,
        offers.cost_amount,
        horizons.horizon,
        case horizons.horizon when 'short' then offers.is_reached_short else offers.is_reached_long end as is_reached,
        offers.offered_on
    from {{ ref('fct_retention_offers') }} as offers
    cross join horizons
    where offers.goal <> 'unknown'
),

classes as (
    select
        outcomes.*,
        'all' as class_kind,
        'all' as customer_class
    from outcomes
    union all
    select
        outcomes.*,
        'customer_kind' as class_kind,
        outcomes.customer_kind as customer_class
    from outcomes
    union all
    select
        outcomes.*,
        'fee_class' as class_kind,
        outcomes.fee_class as customer_class
    from outcomes
    union all
    select
        outcomes.*,
        'year' as class_kind,
        cast(year(outcomes.offered_on) as varchar) as customer_class
    from outcomes
),

strata as (
    select
        classes.action_kind,
        classes.goal,
        classes.horizon,
        classes.class_kind,
        classes.customer_class,
        classes.campaign_id,
        count(*) filter (where classes.is_reached is null) as open_cases,
        cast(count(*) filter (where classes.assignment = 'treated' and classes.is_reached is not null) as double) as n1,
        cast(count(*) filter (where classes.assignment = 'treated' and classes.is_reached) as double) as a,
        cast(count(*) filter (where classes.assignment = 'held_out' and classes.is_reached is not null) as double) as n0,
        cast(count(*) filter (where classes.assignment = 'held_out' and classes.is_reached) as double) as b,
        count(*) filter (where classes.is_accepted and classes.is_reached is not null) as accepted,
        sum(classes.cost_amount) filter (where classes.is_reached is not null) as cost,
        min(classes.offered_on) as first_offered_on,
        max(classes.offered_on) as last_offered_on
    from classes
    group by classes.action_kind, classes.goal, classes.horizon, classes.class_kind, classes.customer_class, classes.campaign_id
),

single as (
    select
        strata.*,
        1 as campaigns,
        strata.n1 as compared_treated,
        strata.n0 as compared_held_out,
        strata.cost as compared_cost,
        strata.a / nullif(strata.n1, 0) - strata.b / nullif(strata.n0, 0) as uplift,
        {%- for x, n, name in [('strata.a', 'strata.n1', 'p1'), ('strata.b', 'strata.n0', 'p0')] %}
        ({{ x }} + 1.920729) / nullif({{ n }} + 3.841459, 0) as {{ name }}_centre,
        1.959964 * sqrt({{ x }} * (1 - {{ x }} / nullif({{ n }}, 0)) + 0.960365) / nullif({{ n }} + 3.841459, 0) as {{ name }}_half{{ ',' if not loop.last }}
        {%- endfor %}
    from strata
),

newcombe as (
    select
        single.*,
        single.uplift - sqrt(
            power(single.a / nullif(single.n1, 0) - (single.p1_centre - single.p1_half), 2) + power(single.p0_centre + single.p0_half - single.b / nullif(single.n0, 0), 2)
        ) as uplift_low,
        single.uplift + sqrt(
            power(single.p1_centre + single.p1_half - single.a / nullif(single.n1, 0), 2) + power(single.b / nullif(single.n0, 0) - (single.p0_centre - single.p0_half), 2)
        ) as uplift_high
    from single
),

pooled as (
    select
        strata.action_kind,
        strata.goal,
        strata.horizon,
        strata.class_kind,
        strata.customer_class,
        'all' as campaign_id,
        sum(strata.open_cases) as open_cases,
        sum(strata.n1) as n1,
        sum(strata.a) as a,
        sum(strata.n0) as n0,
        sum(strata.b) as b,
        sum(strata.accepted) as accepted,
        sum(strata.cost) as cost,
        min(strata.first_offered_on) as first_offered_on,
        max(strata.last_offered_on) as last_offered_on,
        count(*) filter (where strata.n1 > 0 and strata.n0 > 0) as campaigns,
        sum(strata.n1) filter (where strata.n1 > 0 and strata.n0 > 0) as compared_treated,
        sum(strata.n0) filter (where strata.n1 > 0 and strata.n0 > 0) as compared_held_out,
        sum(strata.cost) filter (where strata.n1 > 0 and strata.n0 > 0) as compared_cost,
        sum((strata.a * strata.n0 - strata.b * strata.n1) / nullif(strata.n1 + strata.n0, 0)) as difference,
        sum(strata.n1 * strata.n0 / nullif(strata.n1 + strata.n0, 0)) as weight,
        sum(
            (power(strata.n1, 2) * strata.b - power(strata.n0, 2) * strata.a + strata.n1 * strata.n0 * (strata.n0 - strata.n1) / 2)
            / nullif(power(strata.n1 + strata.n0, 2), 0)
        ) filter (where strata.n1 > 0 and strata.n0 > 0) as p_sum,
        sum((strata.a * (strata.n0 - strata.b) + strata.b * (strata.n1 - strata.a)) / nullif(2 * (strata.n1 + strata.n0), 0))
            filter (where strata.n1 > 0 and strata.n0 > 0) as q_sum
    from strata
    group by strata.action_kind, strata.goal, strata.horizon, strata.class_kind, strata.customer_class
),

together as (
    select
        pooled.*,
        pooled.difference / nullif(pooled.weight, 0) as uplift,
        sqrt(greatest(0.0, pooled.difference / nullif(pooled.weight, 0) * pooled.p_sum + pooled.q_sum)) / nullif(pooled.weight, 0) as standard_error
    from pooled
),

effects as (
    select
        {%- for name in ['action_kind', 'goal', 'horizon', 'class_kind', 'customer_class', 'campaign_id', 'campaigns', 'open_cases', 'n1', 'a', 'n0', 'b', 'accepted', 'cost',
            'compared_treated', 'compared_held_out', 'compared_cost', 'first_offered_on', 'last_offered_on', 'uplift', 'uplift_low', 'uplift_high'] %}
        newcombe.{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from newcombe
    union all by name
    select
        {{ columns_without('together', ['difference', 'weight', 'p_sum', 'q_sum', 'standard_error']) }},
        case when together.standard_error > 0 then greatest(-1.0, together.uplift - 1.959964 * together.standard_error) end as uplift_low,
        case when together.standard_error > 0 then least(1.0, together.uplift + 1.959964 * together.standard_error) end as uplift_high
    from together
)

-- Cost of one customer more: nothing can be said of it while the action may have kept nobody.
select
    effects.action_kind,
    effects.goal,
    effects.horizon,
    effects.class_kind,
    effects.customer_class,
    effects.campaign_id,
    cast(effects.campaigns as integer) as campaigns,
    cast(effects.n1 as integer) as treated,
    cast(effects.a as integer) as treated_reached,
    cast(effects.n0 as integer) as held_out,
    cast(effects.b as integer) as held_out_reached,
    cast(effects.accepted as integer) as accepted,
    cast(effects.open_cases as integer) as open_cases,
    round(effects.a / nullif(effects.n1, 0), 9) as treated_share,
    round(effects.b / nullif(effects.n0, 0), 9) as held_out_share,
    round(effects.uplift, 9) as uplift,
    round(effects.uplift_low, 9) as uplift_low,
    round(effects.uplift_high, 9) as uplift_high,
    cast(coalesce(effects.cost, 0) as decimal(18, 2)) as cost_amount,
    round(case when effects.uplift > 0 then effects.uplift * effects.compared_treated end, 9) as saved,
    round(case when effects.uplift > 0 then cast(effects.compared_cost as double) / nullif(effects.uplift * effects.compared_treated, 0) end, 9) as cost_per_save,
    round(case when effects.uplift_high > 0 then cast(effects.compared_cost as double) / nullif(effects.uplift_high * effects.compared_treated, 0) end, 9) as cost_per_save_low,
    round(case when effects.uplift_low > 0 then cast(effects.compared_cost as double) / nullif(effects.uplift_low * effects.compared_treated, 0) end, 9) as cost_per_save_high,
    least(coalesce(effects.compared_treated, 0), coalesce(effects.compared_held_out, 0)) < {{ threshold('keep_minimum_base') }} as is_small_base,
    effects.open_cases = 0 as is_final,
    case
        when effects.n1 + effects.n0 = 0 then 'not_final'
        when effects.n1 = 0 then 'nobody_treated'
        when effects.n0 = 0 then 'no_control'
        when coalesce(effects.campaigns, 0) = 0 then 'no_common_campaign'
        when effects.uplift_low is null then 'no_spread'
    end as reason,
    effects.first_offered_on,
    effects.last_offered_on
from effects
