-- Customers by what happened to them in a quarter, and what followed in the 90 days after it. The group is settled on the last day of the quarter, the landmark, and who is
-- compared was still a customer then: otherwise those who left early could not have complained.
{% set gap = "cast(" ~ threshold('churn_gap_days') ~ " as integer)" %}
{% set follow_up = "cast(" ~ threshold('recovery_follow_up_days') ~ " as integer)" %}
with complaints as (
    select * from {{ ref('fct_complaints') }}
    where customer_key is not null
),

answers as (
    select * from {{ ref('fct_survey_answers') }}
    where customer_key is not null and is_valid
),

bounds as (
    select
        min(complaints.opened_on) as first_on,
        max(cast(complaints.known_until as date)) as known_on
    from complaints
),

-- Whole quarters only: of one that began before the data a complaint may not be known.
quarters as (
    select {{ each_quarter('bounds.first_on', 'bounds.known_on') }} as began_on
    from bounds
),

periods as (
    select
        quarters.began_on,
        cast({{ months_after('quarters.began_on', '3') }} as date) - 1 as landmark
    from quarters
    cross join bounds
    where quarters.began_on >= bounds.first_on and cast({{ months_after('quarters.began_on', '3') }} as date) <= bounds.known_on
),

stays as (
    select
        customer_key,
        holder_began_on as began_on,
        max(last_on) as left_on,
        max(known_until) as known_until
    from {{ ref('ftr_contract_spells') }}
    group by customer_key, holder_began_on
),

present as (
    select
        periods.began_on,
        periods.landmark,
        stays.customer_key,
        max(stays.left_on) as left_on,
        max(stays.known_until) as known_until
    from periods
    inner join stays on periods.landmark >= stays.began_on and periods.landmark < stays.left_on
    group by periods.began_on, periods.landmark, stays.customer_key
),

-- The newest complaint of the quarter speaks, with what was known of it on the landmark.
{% set newest = sort_key(['complaints.opened_at', 'complaints.complaint_id']) %}
complainants as (
    select
        periods.began_on,
        complaints.customer_key,
        {{ last_value_of('complaints.complaint_id', newest) }} as complaint_id
    from periods
    inner join complaints on complaints.opened_on between periods.began_on and periods.landmark
    group by periods.began_on, complaints.customer_key
),

-- What the customer says of it: newest answer after it was opened to whether it is solved.
said as (
    select
        complainants.began_on,
        complainants.customer_key,
        {{ last_value_of('answers.is_said_resolved', sort_key(['answers.responded_at', 'answers.source', 'answers.response_id'])) }} as is_said_resolved
    from complainants
    inner join periods on complainants.began_on = periods.began_on
    inner join complaints on complainants.complaint_id = complaints.complaint_id
    inner join answers
        on complainants.customer_key = answers.customer_key and complaints.opened_at <= answers.responded_at and periods.landmark >= answers.responded_on
    where answers.is_resolved_answer
    group by complainants.began_on, complainants.customer_key
),

handled as (
    select
        complainants.began_on,
        complainants.customer_key,
        case
            when said.is_said_resolved is not null then said.is_said_resolved
            when complaints.check_state = 'not_fixed' and cast(complaints.checked_at as date) <= periods.landmark then false
            when complaints.closed_on <= periods.landmark then complaints.is_closed
            when complaints.is_closed is not null then false
        end as is_fixed
    from complainants
    inner join periods on complainants.began_on = periods.began_on
    inner join complaints on complainants.complaint_id = complaints.complaint_id
    left join said on complainants.began_on = said.began_on and complainants.customer_key = said.customer_key
),

spoken as (
    select
        periods.began_on,
        answers.customer_key,
        bool_or(
            coalesce(answers.is_csat_dissatisfied, false)
            or coalesce(answers.is_detractor, false)
            or (answers.is_resolved_answer and not answers.is_said_resolved)
        ) as is_unhappy
    from periods
    inner join answers on answers.responded_on between periods.began_on and periods.landmark
    where answers.is_csat or answers.is_nps or answers.is_resolved_answer
    group by periods.began_on, answers.customer_key
),

-- What follows: the first answer of each kind after the landmark.
{% set first = sort_key(['answers.responded_at', 'answers.source', 'answers.response_id', 'answers.question_id']) %}
followed as (
    select
        periods.began_on,
        answers.customer_key,
        {{ first_value_of('case when answers.is_csat_satisfied then 1 else 0 end', first) }} filter (where answers.is_csat) as csat,
        {{ first_value_of('case when answers.is_promoter then 100 when answers.is_detractor then -100 else 0 end', first) }} filter (where answers.is_nps) as nps
    from periods
    inner join answers on periods.landmark < answers.responded_on and periods.landmark + {{ follow_up }} >= answers.responded_on
    group by periods.began_on, answers.customer_key
),

customers as (
    select
        present.began_on,
        present.customer_key,
        case
            when handled.customer_key is not null
                then case when handled.is_fixed then 'complained_fixed' when not handled.is_fixed then 'complained_not_fixed' else 'complained_unknown' end
            when spoken.is_unhappy then 'unhappy_silent'
            when spoken.customer_key is not null then 'no_problem'
            else 'not_asked'
        end as recovery_group,
        case
            when present.landmark + {{ follow_up }} + {{ gap }} + 1 <= present.known_until
                then case when present.left_on > present.landmark + {{ follow_up }} then 1 else 0 end
        end as retention,
        followed.csat,
        followed.nps
    from present
    left join handled on present.began_on = handled.began_on and present.customer_key = handled.customer_key
    left join spoken on present.began_on = spoken.began_on and present.customer_key = spoken.customer_key
    left join followed on present.began_on = followed.began_on and present.customer_key = followed.customer_key
),

measured as (
    {%- for measure in ['retention', 'csat', 'nps'] %}
    select
        began_on,
        customer_key,
        recovery_group,
        '{{ measure }}' as measure,
        cast({{ measure }} as double) as value
    from customers
    where {{ measure }} is not null
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

looked_at as (
    select
        *,
        cast(began_on as varchar) as period
    from measured
    union all
    select
        *,
        'all' as period
    from measured
),

means as (
    select
        period,
        recovery_group,
        measure,
        count(*) as n,
        sum(value) as total,
        sum(value) / count(*) as mean
    from looked_at
    group by period, recovery_group, measure
),

-- A customer of several quarters is one observation: its deviations are added up before they are squared.
by_customer as (
    select
        looked_at.period,
        looked_at.recovery_group,
        looked_at.measure,
        looked_at.customer_key,
        sum(looked_at.value - means.mean) as deviation
    from looked_at
    inner join means on looked_at.period = means.period and looked_at.recovery_group = means.recovery_group and looked_at.measure = means.measure
    group by looked_at.period, looked_at.recovery_group, looked_at.measure, looked_at.customer_key
),

spreads as (
    select
        period,
        recovery_group,
        measure,
        count(*) as customers,
        round(sum(deviation * deviation), 6) as squares
    from by_customer
    group by period, recovery_group, measure
),

sized as (
    select
        means.period,
        means.recovery_group,
        means.measure,
        means.n,
        means.total,
        means.mean,
        spreads.customers,
        case when spreads.customers > 1 then sqrt(spreads.squares * spreads.customers / (spreads.customers - 1)) / means.n end as standard_error,
        -- As many independent customers would have that error; never more than there are.
        case
            when means.measure = 'nps' then null
            when spreads.squares > 0 then least(means.n, means.mean * (1 - means.mean) * means.n * means.n / spreads.squares)
            else spreads.customers
        end as effective
    from means
    inner join spreads on means.period = spreads.period and means.recovery_group = spreads.recovery_group and means.measure = spreads.measure
),

bounded as (
    select
        *,
        case measure when 'nps' then greatest(-100, mean - 1.959964 * standard_error) else {{ wilson_bound('effective * mean', 'effective', '-') }} end as low,
        case measure when 'nps' then least(100, mean + 1.959964 * standard_error) else {{ wilson_bound('effective * mean', 'effective', '+') }} end as high
    from sized
),

-- Interval of a difference from those of its two parts (Newcombe's method, which keeps to what is possible).
compared as (
    select
        bounded.*,
        bounded.mean - base.mean as difference,
        bounded.mean - base.mean - sqrt(power(bounded.mean - bounded.low, 2) + power(base.high - base.mean, 2)) as difference_low,
        bounded.mean - base.mean + sqrt(power(bounded.high - bounded.mean, 2) + power(base.mean - base.low, 2)) as difference_high
    from bounded
    left join bounded as base
        on bounded.period = base.period and bounded.measure = base.measure and base.recovery_group = 'no_problem' and bounded.recovery_group <> 'no_problem'
)

select
    period,
    recovery_group,
    measure,
    cast(n as integer) as answers,
    cast(customers as integer) as customers,
    case when measure <> 'nps' then cast(total as integer) end as positive,
    round(mean, 9) as value,
    round(low, 9) as value_low,
    round(high, 9) as value_high,
    round(difference, 9) as difference,
    round(difference_low, 9) as difference_low,
    round(difference_high, 9) as difference_high,
    customers < {{ threshold('recovery_base') }} as is_small_base,
    case
        when recovery_group = 'complained_fixed'
            then case
                when difference_low > 0 then 'holds'
                when difference_high < 0 then 'does_not_hold'
                when difference_low is not null then 'undecided'
                else 'unknown'
            end
    end as paradox,
    case when period <> 'all' then cast(period as date) end as period_began_on
from compared
