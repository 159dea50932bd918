-- Broken and late promises held against kept ones: satisfaction of those who answered about the ticket after the promise fell due, and customers who left. Tickets of one kind
-- are compared with each other, weighted as the broken promises have them. Nobody drew lots: what breaks promises may also be what annoys.
with promises as (
    select
        ledger.promise_id,
        ledger.promise_outcome,
        ledger.ticket_kind,
        ledger.ticket_source,
        ledger.ticket_id,
        ledger.customer_key,
        ledger.due_at,
        ledger.due_on
    from {{ ref('fct_promise_ledger') }} as ledger
    where ledger.promise_outcome in ('kept', 'late', 'broken') and ledger.due_at is not null
),

-- The worst of a ticket's promises that had fallen due by the answer.
about as (
    select
        responses.source,
        responses.response_id,
        responses.customer_key,
        responses.responded_at,
        coalesce(nullif(responses.about_kind, 'unknown'), invitations.about_kind) as about_kind,
        coalesce(responses.about_id, invitations.about_id) as about_id
    from {{ ref('fct_survey_responses') }} as responses
    left join {{ ref('int_survey_invitations') }} as invitations
        on responses.source = invitations.source and responses.invitation_id = invitations.invitation_id and invitations._status = 'used'
),

answers as (
    select
        about.response_id,
        about.source,
        promises.ticket_kind as stratum,
        coalesce(promises.customer_key, about.source || about.response_id) as person,
        max(case promises.promise_outcome when 'broken' then 3 when 'late' then 2 else 1 end) as worst,
        avg(scores.score_100) as outcome
    from about
    inner join {{ ref('int_answer_scores') }} as scores on about.source = scores.source and about.response_id = scores.response_id and scores.is_csat
    inner join promises on about.about_id = promises.ticket_id and about.responded_at >= promises.due_at
    where about.about_kind = 'ticket'
    group by about.response_id, about.source, promises.ticket_kind, coalesce(promises.customer_key, about.source || about.response_id)
),

left_on as (
    select
        customer_key,
        left_on
    from {{ ref('fct_churn_events') }}
    where is_customer_departure and customer_key is not null
),

data_ends as (
    select max(churned.left_on) as until
    from {{ ref('fct_churn_events') }} as churned
),

ranked as (
    select
        *,
        case promise_outcome when 'broken' then 1 when 'late' then 2 else 3 end as badness
    from promises
    where customer_key is not null
),

-- A customer's first broken promise, else the first late, else the first kept one; whose window is over and who was still there when it fell due.
customers as (
    select
        ranked.customer_key as person,
        4 - min(ranked.badness) as worst,
        {{ first_value_of('ranked.ticket_kind', sort_key(['ranked.badness', 'ranked.due_at', 'ranked.promise_id'])) }} as stratum,
        {{ first_value_of('ranked.due_on', sort_key(['ranked.badness', 'ranked.due_at', 'ranked.promise_id'])) }} as due_on
    from ranked
    cross join data_ends
    where {{ days_after('ranked.due_on', 'data_ends.until') }} * 86400 >= {{ threshold('promise_effect_window') }}
    group by ranked.customer_key
),

departures as (
    select
        customers.person,
        customers.stratum,
        customers.worst,
        case
            when bool_or(left_on.left_on between customers.due_on and customers.due_on + cast({{ threshold('promise_effect_window') }} / 86400 as integer)) then 1.0
            else 0.0
        end as outcome
    from customers
    left join left_on on customers.person = left_on.customer_key
    group by customers.person, customers.stratum, customers.worst, customers.due_on
    having not coalesce(bool_or(left_on.left_on < customers.due_on), false)
),

outcomes as (
    select
        'satisfaction' as outcome_kind,
        stratum,
        person,
        worst,
        avg(outcome) as outcome
    from answers
    group by stratum, person, worst
    union all
    select
        'churn' as outcome_kind,
        stratum,
        person,
        worst,
        outcome
    from departures
),

comparisons as (
    select
        unnest(['broken', 'late']) as comparison,
        unnest([3, 2]) as worst
),

compared as (
    select
        outcomes.*,
        comparisons.comparison,
        outcomes.worst = comparisons.worst as is_treated
    from outcomes
    inner join comparisons on outcomes.worst = 1 or outcomes.worst = comparisons.worst
),

strata as (
    select
        outcome_kind,
        comparison,
        stratum,
        count(*) filter (where is_treated) as treated,
        count(*) filter (where not is_treated) as control,
        avg(outcome) filter (where is_treated) as treated_mean,
        avg(outcome) filter (where not is_treated) as control_mean,
        var_samp(outcome) filter (where is_treated) as treated_variance,
        var_samp(outcome) filter (where not is_treated) as control_variance
    from compared
    group by outcome_kind, comparison, stratum
),

totals as (
    select
        outcome_kind,
        comparison,
        sum(treated) as treated,
        sum(control) as control,
        sum(treated) filter (where treated >= 2 and control >= 2) as matched_treated,
        sum(control) filter (where treated >= 2 and control >= 2) as matched_control,
        sum(treated * treated_mean) filter (where treated >= 2 and control >= 2) as treated_part,
        sum(treated * control_mean) filter (where treated >= 2 and control >= 2) as control_part,
        sum(treated * treated * (treated_variance / treated + control_variance / control)) filter (where treated >= 2 and control >= 2) as variance_part
    from strata
    group by outcome_kind, comparison
),

estimates as (
    select
        outcome_kind,
        comparison,
        cast(treated as integer) as treated,
        cast(control as integer) as control,
        cast(coalesce(matched_treated, 0) as integer) as matched_treated,
        cast(coalesce(matched_control, 0) as integer) as matched_control,
        treated_part / nullif(matched_treated, 0) as treated_mean,
        control_part / nullif(matched_treated, 0) as control_mean,
        sqrt(variance_part) / nullif(matched_treated, 0) as standard_error
    from totals
)

select
    outcome_kind,
    comparison,
    treated,
    control,
    matched_treated,
    matched_control,
    round(treated_mean, 9) as treated_mean,
    round(control_mean, 9) as control_mean,
    round(treated_mean - control_mean, 9) as difference,
    round(treated_mean - control_mean - 1.959964 * standard_error, 9) as difference_low,
    round(treated_mean - control_mean + 1.959964 * standard_error, 9) as difference_high,
    least(matched_treated, matched_control) < {{ threshold('promise_minimum_base') }} as is_small_base,
    case
        when treated = 0 then 'nobody_treated'
        when control = 0 then 'no_control'
        when matched_treated = 0 then 'no_common_stratum'
    end as reason
from estimates
