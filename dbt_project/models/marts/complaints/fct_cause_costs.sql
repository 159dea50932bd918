-- What a case cost, in every currency in which it hurts. An answer, a contact or a departure belongs to a case by a rule that can be looked up; what cannot be known yet, or at
-- all, is null and in neither part of a rate.
{% set after_days = "cast(" ~ threshold('cause_churn_days') ~ " as integer)" %}
{% set gap = "cast(" ~ threshold('churn_gap_days') ~ " as integer)" %}
with causes as (
    select * from {{ ref('fct_complaint_causes') }}
),

cases as (
    select
        causes.*,
        complaints.touch_point,
        {{ seconds_between('causes.opened_at', 'complaints.known_until') }} as known_seconds,
        {{ days_after('lag(causes.opened_on) over by_cause', 'causes.opened_on') }} as days_since_same
    from causes
    inner join {{ ref('fct_complaints') }} as complaints on causes.complaint_id = complaints.complaint_id
    window by_cause as (partition by causes.customer_key, causes.root_cause order by causes.opened_at, causes.complaint_id)
),

own_contacts as (
    select
        contacts.complaint_id,
        contacts.source,
        contacts.contact_id
    from {{ ref('fct_complaint_contacts') }} as contacts
),

-- A contact of the customer about the same topic belongs to the newest case of that topic before it.
topic_cases as (
    select
        cases.customer_key,
        cases.symptom,
        cases.opened_at,
        max(cases.complaint_id) as complaint_id
    from cases
    where cases.customer_key is not null and cases.symptom <> 'unknown'
    group by cases.customer_key, cases.symptom, cases.opened_at
),

later_contacts as (
    select
        contacts.source,
        contacts.contact_id,
        contacts.started_at,
        topic_cases.opened_at,
        topic_cases.complaint_id
    from {{ ref('fct_contacts') }} as contacts
    {{ join_latest(
        'topic_cases', 'topic_cases', ['contacts.customer_key = topic_cases.customer_key', 'contacts.topic = topic_cases.symptom'],
        'topic_cases.opened_at', 'contacts.started_at'
    ) }}
    where contacts.customer_key is not null and contacts.started_at is not null
),

case_contacts as (
    select
        later_contacts.complaint_id,
        later_contacts.source,
        later_contacts.contact_id
    from later_contacts
    where
        later_contacts.started_at > later_contacts.opened_at
        and {{ seconds_between('later_contacts.opened_at', 'later_contacts.started_at') }} <= {{ threshold('cause_repeat_window') }}
        and not exists (
            select 1
            from own_contacts
            where later_contacts.source = own_contacts.source and later_contacts.contact_id = own_contacts.contact_id
        )
    union all
    select
        own_contacts.complaint_id,
        own_contacts.source,
        own_contacts.contact_id
    from own_contacts
),

repeats as (
    select
        case_contacts.complaint_id,
        count(*) as repeat_contacts
    from case_contacts
    inner join cases on case_contacts.complaint_id = cases.complaint_id
    inner join {{ ref('fct_contacts') }} as contacts on case_contacts.source = contacts.source and case_contacts.contact_id = contacts.contact_id
    where
        contacts.started_at > cases.opened_at
        and {{ seconds_between('cases.opened_at', 'contacts.started_at') }} <= {{ threshold('cause_repeat_window') }}
    group by case_contacts.complaint_id
),

service_rates as (
    select * from {{ service_rate_spans() }} as spans
),

handled as (
    select
        case_contacts.complaint_id,
        handled.contact_kind,
        handled.channel,
        handled.seconds,
        {{ local_day('handled.handled_at', 'units.time_zone') }} as handled_on
    from {{ handled_contacts() }} as handled
    inner join case_contacts on handled.contact_source = case_contacts.source and handled.contact_id = case_contacts.contact_id
    left join {{ ref('dim_org_units') }} as units on handled.org_unit_id = units.org_unit_id
),

handling as (
    select
        handled.complaint_id,
        sum(handled.seconds) as handling_seconds,
        sum({{ service_cost('own', 'every', 'handled.seconds') }}) as handling_cost
    from handled
    left join service_rates as own
        on
            handled.contact_kind = own.contact_kind and handled.channel = own.channel and handled.handled_on >= own.valid_from
            and handled.handled_on < own.valid_to
    left join service_rates as every
        on
            handled.contact_kind = every.contact_kind and every.channel = '*' and handled.handled_on >= every.valid_from
            and handled.handled_on < every.valid_to
    group by handled.complaint_id
),

-- A survey names a contact without saying whose; an id of two systems names none.
named as (
    select
        own_contacts.contact_id,
        min(own_contacts.complaint_id) as complaint_id
    from own_contacts
    group by own_contacts.contact_id
    having count(*) = 1
),

answered as (
    select
        named.complaint_id,
        bool_or(
            answers.is_csat_dissatisfied
            or answers.is_detractor
            or (answers.is_resolved_answer and not answers.is_said_resolved)
        ) as is_dissatisfied
    from named
    inner join {{ ref('fct_survey_responses') }} as responses on named.contact_id = concat(responses.about_kind, ':', responses.about_id)
    inner join {{ ref('int_answer_scores') }} as answers on responses.source = answers.source and responses.response_id = answers.response_id
    where answers.is_csat or answers.is_nps or answers.is_resolved_answer
    group by named.complaint_id
),

-- The stretch of contracts in which the customer complained, and what the running ones brought in a month.
spells as (
    select * from {{ ref('ftr_contract_spells') }}
    where customer_key is not null
),

ends as (
    select
        spells.customer_key,
        spells.holder_began_on,
        max(spells.last_on) as left_on,
        max(spells.known_until) as known_until
    from spells
    group by spells.customer_key, spells.holder_began_on
),

stays as (
    select
        cases.complaint_id,
        max(ends.left_on) as left_on,
        max(ends.known_until) as known_until
    from cases
    inner join ends
        on cases.customer_key = ends.customer_key and cases.opened_on >= ends.holder_began_on and cases.opened_on < ends.left_on
    group by cases.complaint_id
),

fees as (
    select
        cases.complaint_id,
        cast(sum(spells.monthly_fee) as decimal(18, 2)) as monthly_fee
    from cases
    inner join spells
        on cases.customer_key = spells.customer_key and cases.opened_on >= spells.started_on and cases.opened_on <= spells.counted_until
    group by cases.complaint_id
),

judged as (
    select
        cases.*,
        {{ customer_tier('cases.customer_key') }} as customer_tier,
        answered.complaint_id is not null as is_answered,
        coalesce(answered.is_dissatisfied, false) as is_dissatisfied,
        cases.customer_key is not null and cases.known_seconds >= {{ threshold('cause_repeat_window') }} as is_repeat_final,
        coalesce(repeats.repeat_contacts, 0) as repeat_contacts,
        coalesce(handling.handling_seconds, 0) as handling_seconds,
        coalesce(handling.handling_cost, 0) as handling_cost,
        cases.customer_key is not null and coalesce(cases.days_since_same > {{ after_days }}, true) as is_first_of_cause,
        stays.left_on,
        stays.known_until as contracts_known_until,
        fees.monthly_fee
    from cases
    left join answered on cases.complaint_id = answered.complaint_id
    left join repeats on cases.complaint_id = repeats.complaint_id
    left join handling on cases.complaint_id = handling.complaint_id
    left join stays on cases.complaint_id = stays.complaint_id
    left join fees on cases.complaint_id = fees.complaint_id
    {{ join_customer_tier('cases.customer_key', 'cases.opened_on') }}
),

followed as (
    select
        *,
        is_first_of_cause and coalesce(opened_on + {{ after_days }} + {{ gap }} + 1 <= contracts_known_until, false) as is_churn_final,
        coalesce(left_on <= opened_on + {{ after_days }}, false) as is_left_after
    from judged
)

select
    complaint_id,
    source,
    customer_key,
    org_unit_id,
    customer_kind,
    customer_tier,
    channel,
    touch_point,
    product_line,
    symptom,
    root_cause,
    cause_group,
    owner,
    cause_type,
    cause_basis,
    is_answered,
    is_dissatisfied,
    is_repeat_final,
    cast(case when customer_key is not null then repeat_contacts end as integer) as repeat_contacts,
    cast(handling_seconds as bigint) as handling_seconds,
    cast(handling_cost as decimal(18, 2)) as handling_cost,
    is_first_of_cause,
    is_churn_final,
    is_churn_final and is_left_after as is_churned,
    case when is_first_of_cause then monthly_fee end as fee_at_risk,
    case when is_churn_final and is_left_after then monthly_fee end as fee_lost,
    opened_at,
    opened_on,
    as_of
from followed
