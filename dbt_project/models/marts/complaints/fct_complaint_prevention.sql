-- What asking after a complaint prevents: closed cases whose call back was held out by lot against those whose was not. Whom somebody chose to call is not counted: he was
-- chosen for a reason.
with known_ids as (
    select
        substr(contact_id, 8) as ticket_id,
        min(complaint_id) as complaint_id
    from {{ ref('fct_complaint_contacts') }}
    where contact_kind = 'ticket'
    group by substr(contact_id, 8)
    having count(distinct source) = 1
),

arms as (
    select
        known_ids.complaint_id,
        bool_or(commitments.is_control) as is_held_out
    from {{ ref('int_commitments') }} as commitments
    inner join known_ids on commitments.about_id = known_ids.ticket_id
    where
        commitments._status = 'used' and commitments.commitment_kind = 'callback' and commitments.about_kind = 'ticket' and commitments.purpose = 'complaint'
        and commitments.is_control is not null
    group by known_ids.complaint_id
),

cases as (
    {%- for window in ['30d', '90d'] %}
    select
        '{{ window }}' as follow_up,
        arms.is_held_out,
        complaints.is_cause_repeated_{{ window }} as is_again
    from arms
    inner join {{ ref('fct_complaints') }} as complaints on arms.complaint_id = complaints.complaint_id
    where complaints.is_cause_final_{{ window }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

windows as (
    select unnest(['30d', '90d']) as follow_up
),

counted as (
    select
        windows.follow_up,
        count(cases.follow_up) filter (where not cases.is_held_out) as called,
        count(cases.follow_up) filter (where not cases.is_held_out and cases.is_again) as called_again,
        count(cases.follow_up) filter (where cases.is_held_out) as held_out,
        count(cases.follow_up) filter (where cases.is_held_out and cases.is_again) as held_out_again
    from windows
    left join cases on windows.follow_up = cases.follow_up
    group by windows.follow_up
),

bounded as (
    select
        *,
        called_again / nullif(called, 0) as called_rate,
        held_out_again / nullif(held_out, 0) as held_out_rate,
        {{ wilson_bound('called_again', 'called', '-') }} as called_low,
        {{ wilson_bound('called_again', 'called', '+') }} as called_high,
        {{ wilson_bound('held_out_again', 'held_out', '-') }} as held_out_low,
        {{ wilson_bound('held_out_again', 'held_out', '+') }} as held_out_high
    from counted
)

select
    follow_up,
    cast(called as integer) as called,
    cast(called_again as integer) as called_again,
    cast(held_out as integer) as held_out,
    cast(held_out_again as integer) as held_out_again,
    round(called_rate, 9) as called_rate,
    round(held_out_rate, 9) as held_out_rate,
    round(held_out_rate - called_rate, 9) as prevented_share,
    round(held_out_rate - called_rate - sqrt(power(held_out_rate - held_out_low, 2) + power(called_high - called_rate, 2)), 9) as prevented_low,
    round(held_out_rate - called_rate + sqrt(power(held_out_high - held_out_rate, 2) + power(called_rate - called_low, 2)), 9) as prevented_high,
    case when held_out = 0 then 'no_control' when called = 0 then 'nobody_treated' end as reason
from bounded
