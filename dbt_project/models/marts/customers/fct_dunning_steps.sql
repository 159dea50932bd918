-- What was owed when a step of dunning was taken, and what of it was paid afterwards. What a later step brought within the window is the later step's as
-- well as this one's: both numbers are given, up to the end of the window and up to the next step.
with until_days as (
    select
        t.source,
        max({{ local_day('t.occurred_at', 'null') }}) as until
    from {{ ref('int_transactions') }} as t
    where t._status = 'used' and t.transaction_kind in ('charge', 'invoice', 'order', 'payment', 'return')
    group by t.source
),

steps as (
    select
        actions.*,
        coalesce(actions.account_id, concat('customer:', actions.customer_id)) as debtor,
        {{ or_unknown('actions.campaign_id') }} as run_id,
        row_number() over run as position_in_run,
        lead(actions.occurred_on) over run as next_step_on,
        actions.occurred_on + cast({{ threshold('dunning_days') }} as integer) as window_until
    from {{ ref('fct_customer_actions') }} as actions
    where actions.action_kind = 'dunning'
    window run as (
        partition by actions.source, coalesce(actions.campaign_id, actions.action_id), actions.account_source, actions.account_id, actions.customer_id
        order by actions.occurred_at, actions.action_id
    )
),

sums as (
    select
        steps.source,
        steps.action_id,
        sum(pieces.amount) as owed,
        sum(pieces.amount) filter (where pieces.settled_on <= steps.window_until) as collected,
        sum(pieces.amount) filter (
            where pieces.settled_on <= steps.window_until and (steps.next_step_on is null or pieces.settled_on < steps.next_step_on)
        ) as collected_before_next,
        min(pieces.due_on) as oldest_due_on
    from steps
    inner join {{ ref('int_receivables') }} as pieces
        on
            steps.account_source = pieces.source
            and steps.debtor = pieces.debtor
            and steps.occurred_on > pieces.due_on
            and (pieces.settled_on is null or steps.occurred_on <= pieces.settled_on)
    where pieces.currency = {{ main_currency() }}
    group by steps.source, steps.action_id
)

select
    steps.source,
    steps.action_id,
    steps.run_id,
    steps.account_id,
    steps.account_source,
    steps.customer_key,
    steps.org_unit_id,
    steps.customer_kind,
    steps.step,
    known.step_number,
    cast(steps.position_in_run as integer) as position_in_run,
    coalesce(known.is_stop, false) as is_stop,
    steps.is_control,
    steps.result,
    steps.cost_amount,
    cast(coalesce(sums.owed, 0) as decimal(18, 2)) as owed_amount,
    cast(case when until_days.until >= steps.window_until then coalesce(sums.collected, 0) end as decimal(18, 2)) as collected_amount,
    cast(case when until_days.until >= steps.window_until then coalesce(sums.collected_before_next, 0) end as decimal(18, 2)) as collected_before_next_amount,
    coalesce(sums.owed, 0) = 0 as is_nothing_owed,
    coalesce(steps.next_step_on <= steps.window_until, false) as is_next_step_in_window,
    coalesce(until_days.until >= steps.window_until, false) as is_final,
    sums.oldest_due_on,
    steps.next_step_on,
    steps.occurred_at,
    steps.occurred_on
from steps
left join until_days on steps.account_source = until_days.source
left join sums on steps.source = sums.source and steps.action_id = sums.action_id
left join {{ ref('dunning_steps') }} as known on steps.step = known.step
