-- Whether a signal foretells leaving. Everybody who is a customer at the end of a quarter is watched for the days after it, so that nobody is watched twice at a time; those who
-- gave the signal in the quarter are held against those who did not and are like them: same quarter, kind, time as a customer, number of product lines, and the same occasions
-- to give one (answered a survey or not, complained or not). Strata are weighted as those with the signal have them.
{% set gap = "cast(" ~ threshold('churn_gap_days') ~ " as integer)" %}
{% set days = "cast(" ~ threshold('warning_window_days') ~ " as integer)" %}
with ends as (
    select max(spells.known_until) as known_until from {{ ref('ftr_contract_spells') }} as spells
),

lefts as (
    select
        spells.customer_key,
        spells.holder_began_on as began_on,
        max(spells.last_on) as left_on
    from {{ ref('ftr_contract_spells') }} as spells
    where spells.customer_key is not null
    group by spells.customer_key, spells.holder_began_on
),

surveyed as (
    select distinct
        responses.customer_key,
        {{ quarter_number('responses.responded_on') }} as quarter_number
    from {{ ref('fct_survey_responses') }} as responses
    where responses.customer_key is not null
),

complained as (
    select distinct
        tickets.customer_key,
        {{ quarter_number('tickets.created_on') }} as quarter_number
    from {{ ref('fct_tickets') }} as tickets
    where tickets.is_in_base and tickets.is_complaint and tickets.customer_key is not null
),

watched as (
    select
        quarters.customer_key,
        quarters.quarter_number,
        quarters.customer_kind,
        quarters.stay_band,
        quarters.product_lines,
        surveyed.customer_key is not null as is_surveyed,
        complained.customer_key is not null as is_complaining,
        lefts.left_on - quarters.quarter_end <= {{ days }} as is_left
    from {{ ref('ftr_customer_quarters') }} as quarters
    cross join ends
    inner join lefts on quarters.customer_key = lefts.customer_key and quarters.began_on = lefts.began_on
    left join surveyed on quarters.customer_key = surveyed.customer_key and quarters.quarter_number = surveyed.quarter_number
    left join complained on quarters.customer_key = complained.customer_key and quarters.quarter_number = complained.quarter_number
    where
        quarters.customer_state = 'customer'
        and quarters.is_complete
        and quarters.quarter_end + {{ days }} + {{ gap }} + 1 <= ends.known_until
        and lefts.left_on > quarters.quarter_end
),

warned as (
    select distinct
        warnings.customer_key,
        {{ quarter_number('warnings.seen_on') }} as quarter_number,
        warnings.signal
    from {{ ref('fct_early_warnings') }} as warnings
),

everybody as (
    select
        watched.quarter_number,
        watched.customer_kind,
        watched.stay_band,
        watched.product_lines,
        watched.is_surveyed,
        watched.is_complaining,
        count(*) as customers,
        count(*) filter (where watched.is_left) as lefts
    from watched
    group by all
),

signalled as (
    select
        warned.signal,
        watched.quarter_number,
        watched.customer_kind,
        watched.stay_band,
        watched.product_lines,
        watched.is_surveyed,
        watched.is_complaining,
        count(*) as customers,
        count(*) filter (where watched.is_left) as lefts
    from watched
    inner join warned on watched.customer_key = warned.customer_key and watched.quarter_number = warned.quarter_number
    group by all
),

strata as (
    select
        signalled.signal,
        signalled.customers as n1,
        signalled.lefts as x1,
        everybody.customers - signalled.customers as n0,
        everybody.lefts - signalled.lefts as x0
    from signalled
    inner join everybody
        on
            signalled.quarter_number = everybody.quarter_number
            and signalled.customer_kind = everybody.customer_kind
            and signalled.stay_band = everybody.stay_band
            and signalled.product_lines = everybody.product_lines
            and signalled.is_surveyed = everybody.is_surveyed
            and signalled.is_complaining = everybody.is_complaining
),

-- A stratum without anybody to compare with is left out and shows in `matched`. The variance is that of Greenland and Robins' standardised difference, from which a stratum
-- in which nobody left adds nothing.
sums as (
    select
        strata.signal,
        sum(strata.n1) as with_signal,
        sum(strata.x1) as with_signal_left,
        sum(strata.n1) filter (where strata.n0 > 0) as matched,
        sum(strata.n0) filter (where strata.n0 > 0) as matched_without,
        sum(strata.x1) filter (where strata.n0 > 0) as matched_left,
        sum(strata.n1 * strata.x0 / cast(strata.n0 as double)) filter (where strata.n0 > 0) as expected_left,
        sum(
            strata.x1 * (strata.n1 - strata.x1) / cast(strata.n1 as double)
            + power(strata.n1, 2) * strata.x0 * (strata.n0 - strata.x0) / power(strata.n0, 3)
        ) filter (where strata.n0 > 0) as variance_part
    from strata
    group by strata.signal
),

base as (
    select
        sum(everybody.customers) as customers,
        sum(everybody.lefts) as lefts
    from everybody
),

signals as (
    select distinct r.signal from {{ ref('early_warning_rules') }} as r
),

estimated as (
    select
        signals.signal,
        coalesce(sums.with_signal, 0) as with_signal,
        coalesce(sums.with_signal_left, 0) as with_signal_left,
        coalesce(base.customers, 0) - coalesce(sums.with_signal, 0) as without_signal,
        coalesce(base.lefts, 0) - coalesce(sums.with_signal_left, 0) as without_signal_left,
        coalesce(sums.matched, 0) as matched,
        coalesce(sums.matched_without, 0) as matched_without,
        sums.matched_left / nullif(cast(sums.matched as double), 0) as rate_with,
        sums.expected_left / nullif(cast(sums.matched as double), 0) as rate_without,
        sqrt(sums.variance_part) / nullif(cast(sums.matched as double), 0) as standard_error
    from signals
    cross join base
    left join sums on signals.signal = sums.signal
)

select
    estimated.signal,
    cast(estimated.with_signal as bigint) as with_signal,
    cast(estimated.with_signal_left as bigint) as with_signal_left,
    cast(estimated.without_signal as bigint) as without_signal,
    cast(estimated.without_signal_left as bigint) as without_signal_left,
    round(estimated.with_signal_left / nullif(cast(estimated.with_signal as double), 0), 9) as crude_rate_with,
    round(estimated.without_signal_left / nullif(cast(estimated.without_signal as double), 0), 9) as crude_rate_without,
    cast(estimated.matched as bigint) as matched,
    cast(estimated.matched_without as bigint) as matched_without,
    round(estimated.rate_with, 9) as rate_with,
    round(estimated.rate_without, 9) as rate_without,
    round(estimated.rate_with - estimated.rate_without, 9) as difference,
    round(estimated.rate_with - estimated.rate_without - 1.959964 * estimated.standard_error, 9) as difference_low,
    round(estimated.rate_with - estimated.rate_without + 1.959964 * estimated.standard_error, 9) as difference_high,
    round(estimated.rate_with / nullif(estimated.rate_without, 0), 9) as lift,
    least(estimated.matched, estimated.matched_without) < {{ threshold('warning_minimum_base') }} as is_small_base,
    case
        when estimated.with_signal = 0 then 'nobody_with_signal'
        when estimated.matched = 0 then 'nobody_alike'
        when estimated.rate_with - estimated.rate_without - 1.959964 * estimated.standard_error > 0 then 'foretells'
        when estimated.rate_with - estimated.rate_without + 1.959964 * estimated.standard_error < 0 then 'less_than_others'
        else 'not_shown'
    end as verdict
from estimated
