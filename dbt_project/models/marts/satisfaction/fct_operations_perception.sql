{{ config(materialized='view') }}

-- What customers say, beside what happened to them: every satisfaction answer once for each fact of its contact, with the band that the fact lies in. A
-- fact that does not apply (the queue of a ticket) gives no row, one that is not known the band `unknown`.
{%- set numbers = {
    'queue_wait_minutes': "about_kind = 'call'", 'first_reply_hours': "about_kind = 'ticket'", 'resolution_days': "about_kind = 'ticket'",
    'agent_quality': 'true', 'earlier_satisfaction': 'true',
} %}
{%- set yes_no = {
    'is_solved_at_first_contact': 'true', 'is_said_solved': 'true', 'is_repeat_call': "about_kind = 'call'", 'is_transferred': 'true',
    'is_complaint': 'true', 'is_promise_broken': 'true', 'is_sla_breached': "about_kind = 'ticket'", 'is_in_outage': 'true',
    'is_in_bad_period': 'true', 'is_after_ticket': 'true',
} %}
with answers as (
    select * from {{ ref('ftr_satisfaction_drivers') }}
),

numbers as (
    {%- for fact, applies in numbers.items() %}
    select
        {{ columns_without('answers', numbers.keys() | list + yes_no.keys() | list) }},
        '{{ fact }}' as fact,
        {{ fact }} as fact_value
    from answers
    where {{ applies }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

banded as (
    select
        numbers.*,
        -- Of a number that is not known the join gives the last band.
        case when numbers.fact_value is not null then bands.band end as band
    from numbers
    {{ join_latest(ref('satisfaction_bands'), 'bands', ['numbers.fact = bands.fact'], 'bands.at_least', 'numbers.fact_value') }}
),

together as (
    {%- for fact, applies in yes_no.items() %}
    select
        {{ columns_without('answers', numbers.keys() | list + yes_no.keys() | list) }},
        '{{ fact }}' as fact,
        case when {{ fact }} then 'yes' when not {{ fact }} then 'no' end as band
    from answers
    where {{ applies }}
    union all
    {%- endfor %}
    select {{ columns_without('banded', ['fact_value']) }} from banded
)

select
    concat_ws('|', responded_on, source, coalesce(org_unit_id, ''), about_kind, customer_kind, channel, touch_point, product_line, fact, {{ or_unknown('band') }}) as slice_id,
    source,
    org_unit_id,
    about_kind,
    customer_kind,
    channel,
    touch_point,
    product_line,
    fact,
    {{ or_unknown('band') }} as band,
    cast(count(*) as bigint) as responses,
    cast(sum(csat_answers) as bigint) as csat_answers,
    cast(sum(csat_satisfied) as bigint) as csat_satisfied,
    sum(csat_score_sum) as csat_score_sum,
    sum(csat_score_sum_squares) as csat_score_sum_squares,
    responded_on
from together
group by source, org_unit_id, about_kind, customer_kind, channel, touch_point, product_line, fact, band, responded_on
