-- A plan is a plan until its day comes, is being done until it is done, is waiting for its check until it was checked. What the action was about goes on being counted.
{% set check_days = "cast(" ~ threshold('improvement_check_days') ~ " as integer)" %}
with features as (
    select * from {{ ref('ftr_improvement_actions') }}
),

actions as (
    select
        received.*,
        features.causes,
        features.cause_basis,
        features.units,
        features.as_of
    from {{ ref('int_improvement_actions') }} as received
    inner join features on received.source = features.source and received.improvement_action_id = features.improvement_action_id
    where received._status = 'used'
),

causes as (
    select
        source,
        improvement_action_id,
        cause_basis,
        {{ each_part('causes') }} as subject
    from features
),

units as (
    select
        source,
        improvement_action_id,
        {{ each_part('units') }} as org_unit_id
    from features
),

cases as (
    select
        complaints.complaint_id,
        complaints.customer_key,
        complaints.org_unit_id,
        complaints.is_closed,
        complaints.opened_on,
        complaints.topic,
        {{ root_cause_or_topic('caused') }} as cause
    from {{ ref('fct_complaints') }} as complaints
    inner join {{ ref('fct_complaint_causes') }} as caused on complaints.complaint_id = caused.complaint_id
),

matched as (
    select distinct
        causes.source,
        causes.improvement_action_id,
        cases.complaint_id,
        cases.customer_key,
        cases.is_closed,
        cases.opened_on
    from causes
    inner join cases
        on causes.subject = cases.cause or (causes.cause_basis = 'scope' and causes.subject = cases.topic)
    inner join units
        on causes.source = units.source and causes.improvement_action_id = units.improvement_action_id and cases.org_unit_id = units.org_unit_id
),

complainants as (
    select
        actions.source,
        actions.improvement_action_id,
        matched.customer_key
    from actions
    inner join matched on actions.source = matched.source and actions.improvement_action_id = matched.improvement_action_id
    where matched.customer_key is not null and actions.done_on is not null
    group by actions.source, actions.improvement_action_id, matched.customer_key
    having bool_or(matched.opened_on < actions.started_on) and bool_or(matched.opened_on >= actions.done_on)
),

again as (
    select
        source,
        improvement_action_id,
        count(*) as customers_again
    from complainants
    group by source, improvement_action_id
),

counted as (
    select
        actions.source,
        actions.improvement_action_id,
        count(*) as complaints,
        count(*) filter (where not matched.is_closed) as open_complaints,
        count(*) filter (where matched.opened_on < actions.started_on) as complaints_before,
        count(*) filter (where matched.opened_on >= actions.done_on) as complaints_after,
        min(matched.opened_on) filter (where matched.opened_on >= actions.done_on) as first_after_on,
        max(matched.opened_on) filter (where matched.opened_on >= actions.done_on) as last_after_on
    from actions
    inner join matched on actions.source = matched.source and actions.improvement_action_id = matched.improvement_action_id
    group by actions.source, actions.improvement_action_id
),

effects as (
    select
        source,
        improvement_action_id,
        {%- for column in ['method', 'rate_ratio', 'ratio_low', 'ratio_high', 'verdict'] %}
        {{ first_value_of(column, sort_key(['rate_ratio is null', 'method'])) }} as {{ column }},
        {%- endfor %}
        {{ first_value_of('reason', sort_key(['rate_ratio is null', 'method'])) }} filter (where rate_ratio is null) as reason
    from {{ ref('score_improvement_effects') }}
    where method <> 'relapse'
    group by source, improvement_action_id
),

relapses as (
    select
        source,
        improvement_action_id,
        verdict = 'rose' as is_wearing_off
    from {{ ref('score_improvement_effects') }}
    where method = 'relapse' and rate_ratio is not null
)

select
    actions.source,
    actions.improvement_action_id,
    {{ or_unknown('actions.action_kind') }} as action_kind,
    actions.problem,
    actions.root_cause,
    case when contains(actions.root_cause, '.') then split_part(actions.root_cause, '.', 1) else 'unknown' end as cause_owner,
    case when contains(actions.root_cause, '.') then split_part(actions.root_cause, '.', 2) else 'unknown' end as cause_factor,
    actions.causes,
    actions.cause_basis,
    actions.plan,
    actions.owner_agent_id,
    actions.org_unit_id,
    actions.scope,
    {{ or_unknown('actions.action_status') }} as action_status,
    case
        when actions.action_status = 'cancelled' then 'cancelled'
        when actions.checked_on <= actions.as_of then 'act'
        when actions.done_on <= actions.as_of then 'check'
        when actions.started_on <= actions.as_of then 'do'
        when actions.started_on is not null or actions.action_status = 'open' then 'plan'
        else 'unknown'
    end as phase,
    case
        when actions.action_status <> 'cancelled' and actions.done_on <= actions.as_of
            then case
                when {{ days_after('actions.done_on', 'actions.checked_on') }} <= {{ check_days }} then true
                when {{ days_after('actions.done_on', 'actions.as_of') }} > {{ check_days }} then false
            end
    end as is_checked_in_time,
    cast({{ days_after('actions.started_on', 'least(coalesce(actions.done_on, actions.as_of), actions.as_of)') }} as integer) as days_doing,
    case when actions.causes is not null then cast(coalesce(counted.complaints_before, 0) as integer) end as complaints_before,
    case when actions.causes is not null and actions.done_on <= actions.as_of then cast(coalesce(counted.complaints_after, 0) as integer) end as complaints_after,
    case when actions.causes is not null then cast(coalesce(counted.open_complaints, 0) as integer) end as open_complaints,
    case when actions.causes is not null and actions.done_on <= actions.as_of then cast(coalesce(again.customers_again, 0) as integer) end as customers_again,
    counted.first_after_on,
    counted.last_after_on,
    case when effects.rate_ratio is not null then effects.method end as effect_method,
    effects.rate_ratio,
    effects.ratio_low,
    effects.ratio_high,
    effects.verdict,
    effects.reason,
    relapses.is_wearing_off,
    actions.started_on,
    actions.done_on,
    actions.checked_on,
    actions.as_of
from actions
left join counted on actions.source = counted.source and actions.improvement_action_id = counted.improvement_action_id
left join again on actions.source = again.source and actions.improvement_action_id = again.improvement_action_id
left join effects on actions.source = effects.source and actions.improvement_action_id = effects.improvement_action_id
left join relapses on actions.source = relapses.source and actions.improvement_action_id = relapses.improvement_action_id
