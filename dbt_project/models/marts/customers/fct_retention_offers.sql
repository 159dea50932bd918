-- Offers, win-back contacts and care messages with what became of the customer, held-out customers included. What is to be reached follows from what he was
-- on that day: a customer is to be kept, a lost one to be won back, whatever the source calls the action.
with settings as (
    select
        {{ contracts_known_until() }} as until,
        cast({{ threshold('keep_short_days') }} as integer) as short_days,
        cast({{ threshold('keep_long_days') }} as integer) as long_days
),

actions as (
    select actions.*
    from {{ ref('fct_customer_actions') }} as actions
    where actions.action_kind in ('offer', 'win_back', 'care')
),

known as (
    select * from actions
    where customer_key is not null
),

placed as (
    select
        known.source,
        known.action_id,
        known.customer_key,
        known.occurred_on,
        lifetimes.lifetime_number,
        lifetimes.started_on,
        lifetimes.ended_on,
        lifetimes.last_fee
    from known
    {{ join_latest(ref('int_customer_lifetimes'), 'lifetimes', ['known.customer_key = lifetimes.customer_key'], 'lifetimes.started_on', 'known.occurred_on') }}
),

judged as (
    select
        placed.*,
        next_lifetimes.started_on as next_started_on,
        case
            when placed.lifetime_number is null then 'unknown'
            when placed.ended_on is null or placed.ended_on >= placed.occurred_on then 'keep'
            else 'win_back'
        end as goal
    from placed
    left join {{ ref('int_customer_lifetimes') }} as next_lifetimes
        on placed.customer_key = next_lifetimes.customer_key and placed.lifetime_number + 1 = next_lifetimes.lifetime_number
),

fees as (
    select
        judged.source,
        judged.action_id,
        sum(subscriptions.monthly_fee) as fee,
        sum(subscriptions.monthly_fee) filter (
            where subscriptions.ended_on is null or subscriptions.ended_on >= judged.occurred_on + settings.long_days
        ) as fee_after
    from judged
    cross join settings
    inner join {{ ref('fct_subscriptions') }} as subscriptions
        on
            judged.customer_key = subscriptions.customer_key
            and judged.occurred_on >= subscriptions.started_on
            and (subscriptions.ended_on is null or judged.occurred_on <= subscriptions.ended_on)
    where judged.goal = 'keep'
    group by judged.source, judged.action_id
)

select
    actions.source,
    actions.action_id,
    {{ or_unknown('actions.campaign_id') }} as campaign_id,
    actions.action_kind,
    coalesce(judged.goal, 'unknown') as goal,
    actions.account_id,
    actions.customer_key,
    actions.org_unit_id,
    actions.customer_kind,
    case
        when judged.goal = 'keep' then {{ customer_band('fee', 'fees.fee') }}
        when judged.goal = 'win_back' then {{ customer_band('fee', 'judged.last_fee') }}
        else 'unknown'
    end as fee_class,
    case when actions.is_control then 'held_out' else 'treated' end as assignment,
    actions.result,
    not actions.is_control and actions.result = 'accepted' as is_accepted,
    coalesce(actions.cost_amount, 0) as cost_amount,
    fees.fee as fee_at_offer,
    case when settings.until >= actions.occurred_on + settings.long_days then fees.fee_after end as fee_kept,
    {%- for name, days in [('short', 'settings.short_days'), ('long', 'settings.long_days')] %}
    case
        when settings.until < actions.occurred_on + {{ days }} then null
        when judged.goal = 'keep' then judged.ended_on is null or judged.ended_on >= actions.occurred_on + {{ days }}
        when judged.goal = 'win_back' then coalesce(judged.next_started_on <= actions.occurred_on + {{ days }}, false)
    end as is_reached_{{ name }},
    settings.until >= actions.occurred_on + {{ days }} as is_{{ name }}_final,
    {%- endfor %}
    case when judged.goal = 'keep' and judged.ended_on <= settings.until then judged.ended_on end as lost_on,
    case when judged.goal = 'win_back' and judged.next_started_on <= settings.until then judged.next_started_on end as came_back_on,
    actions.occurred_at as offered_at,
    actions.occurred_on as offered_on
from actions
cross join settings
left join judged on actions.source = judged.source and actions.action_id = judged.action_id
left join fees on actions.source = fees.source and actions.action_id = fees.action_id
