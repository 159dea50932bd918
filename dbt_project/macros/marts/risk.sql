{#- Half-life, in days, with which trouble fades in the features of churn risk. -#}
{% macro faded(day, as_of) -%} power(0.5, ({{ as_of }} - {{ day }}) / 45.0) {%- endmacro %}

{#- Whether a row, and what a row says, is known on the day to which inputs are cut; without a cut everything is. -#}
{% macro risk_past(day, cut) -%}
    {%- if cut is not none -%} {{ day }} <= (select k.cut from {{ cut }} as k) {%- else -%} true {%- endif -%}
{%- endmacro %}

{% macro risk_if_past(day, value, cut, otherwise='null') -%}
    {%- if cut is not none -%} case when {{ risk_past(day, cut) }} then {{ value }} else {{ otherwise }} end {%- else -%} {{ value }} {%- endif -%}
{%- endmacro %}

{#- What is known of every customer with a contract at the end of a day `as_of`, for several such days.

    `inputs`: none, or a relation with one row and a column `cut`: then what happened after that day is taken out of every input first, and only that day is
    looked from. A feature that is the same both ways knows nothing that came later; one that is not tells of the outcome (`ftr_customer_risk_check`).
    Every feature says in its condition that what it counts lies at or before `as_of`. -#}
{% macro risk_features(cut=none) -%}
{%- set days = "cast(" ~ threshold('risk_horizon') ~ " / 86400 as integer)" -%}
with contracts as (
    select
        spells.customer_key,
        spells.product_line,
        spells.contract_months,
        spells.monthly_fee,
        spells.org_unit_id,
        spells.customer_kind,
        spells.holder_began_on,
        spells.line_began_on,
        spells.started_on,
        {{ risk_if_past('spells.last_on', 'spells.last_on', cut, "date '9999-12-31'") }} as last_on
    from {{ ref('ftr_contract_spells') }} as spells
    where spells.customer_key is not null and {{ risk_past('spells.started_on', cut) }}
),

tickets as (
    select
        tickets.customer_key,
        tickets.is_complaint,
        tickets.created_on,
        {{ risk_if_past('tickets.solved_on', 'tickets.solved_on', cut) }} as solved_on
    from {{ ref('fct_tickets') }} as tickets
    where tickets.customer_key is not null and tickets.is_in_base and {{ risk_past('tickets.created_on', cut) }}
),

contacts as (
    select
        contacts.customer_key,
        contacts.issue_id,
        contacts.is_marked_solved,
        contacts.started_on
    from {{ ref('fct_contacts') }} as contacts
    where contacts.customer_key is not null and {{ risk_past('contacts.started_on', cut) }}
),

commitments as (
    select
        links.customer_key,
        commitments.commitment_kind,
        cast(commitments.due_at as date) as due_on,
        {{ risk_if_past('cast(commitments.done_at as date)', 'cast(commitments.done_at as date)', cut) }} as done_on,
        {{ risk_if_past('cast(commitments.done_at as date)', 'commitments.done_at > commitments.due_at', cut) }} as is_late,
        {{ risk_if_past('cast(commitments.done_at as date)', 'results.is_solved', cut) }} as is_solved,
        cast(commitments.made_at as date) as made_on
    from {{ ref('int_commitments') }} as commitments
    inner join {{ ref('dim_customer_links') }} as links
        on coalesce(commitments.customer_source, commitments.source) = links.source and commitments.customer_id = links.customer_id
    left join {{ ref('loop_callbacks') }} as results on results.dimension = 'result' and commitments.result = results.value
    where commitments._status = 'used' and {{ risk_past('cast(commitments.made_at as date)', cut) }}
),

answers as (
    select
        answers.customer_key,
        answers.is_csat,
        answers.is_nps,
        answers.is_resolved_answer,
        answers.is_said_resolved,
        answers.is_csat_dissatisfied or answers.is_detractor as is_unhappy,
        answers.score_100,
        answers.responded_on
    from {{ ref('fct_survey_answers') }} as answers
    where
        answers.customer_key is not null
        and (answers.is_csat or answers.is_nps or answers.is_resolved_answer)
        and {{ risk_past('answers.responded_on', cut) }}
),

bills as (
    select
        transactions.customer_key,
        transactions.transaction_kind,
        transactions.amount,
        transactions.due_on,
        {{ risk_if_past('transactions.paid_on', 'transactions.paid_on', cut) }} as paid_on,
        transactions.occurred_on
    from {{ ref('fct_transactions') }} as transactions
    where transactions.customer_key is not null and transactions.transaction_kind in ('charge', 'return') and {{ risk_past('transactions.occurred_on', cut) }}
),

actions as (
    select
        actions.customer_key,
        actions.action_kind,
        {{ risk_if_past('cast(actions.result_at as date)', 'actions.result', cut) }} as result,
        {{ risk_if_past('cast(actions.result_at as date)', 'cast(actions.result_at as date)', cut) }} as result_on,
        actions.is_control,
        actions.occurred_on
    from {{ ref('fct_customer_actions') }} as actions
    where actions.customer_key is not null and {{ risk_past('actions.occurred_on', cut) }}
),

bounds as (
    select
        max(spells.known_until) as known_until,
        min(spells.observed_from) as observed_from,
        count(distinct spells.customer_key) as customers
    from {{ ref('ftr_contract_spells') }} as spells
    where spells.customer_key is not null
),

-- The last day, for the scores, and past days a month apart whose outcome is known: the horizon after it is over.
moments as (
    {%- if cut is not none %}
    select
        (select k.cut from {{ cut }} as k) as as_of,
        false as is_current,
        bounds.customers
    from bounds
    {%- else %}
    select
        bounds.known_until as as_of,
        true as is_current,
        bounds.customers
    from bounds
    where bounds.known_until is not null
    union all
    select
        past_days.as_of,
        false as is_current,
        past_days.customers
    from (
        select
            bounds.known_until - {{ days }} - 30 * step.step as as_of,
            bounds.observed_from,
            bounds.customers
        from bounds
        cross join (select cast(unnest(range(cast({{ threshold('risk_dates') }} as bigint))) as integer) as step) as step
    ) as past_days
    where past_days.as_of >= past_days.observed_from + cast({{ threshold('risk_history') }} / 86400 as integer)
    {%- endif %}
),

-- Past days look at so many customers that a model can be fitted from, drawn by their key and so the same every night.
here as (
    select
        moments.as_of,
        moments.is_current,
        contracts.*
    from contracts
    inner join moments on contracts.started_on <= moments.as_of and contracts.last_on > moments.as_of
    where
        moments.is_current
        or {{ lot_of('contracts.customer_key') }} % cast(greatest(1, ceil(moments.customers / {{ threshold('risk_customers') }})) as ubigint) = 0
),

-- What contracts of a product line cost on average on that day: a cheap tariff says who minds the price.
line_fees as (
    select
        here.as_of,
        here.product_line,
        here.customer_kind,
        avg(here.monthly_fee) as mean_fee
    from here
    group by here.as_of, here.product_line, here.customer_kind
),

base as (
    select
        here.as_of,
        here.customer_key,
        bool_or(here.is_current) as is_current,
        min(here.customer_kind) as customer_kind,
        min(here.org_unit_id) as org_unit_id,
        case when min(here.product_line) = max(here.product_line) then min(here.product_line) else 'several' end as product_line,
        sum(here.monthly_fee) as monthly_fee,
        count(*) as contracts,
        count(distinct here.product_line) as product_lines,
        (here.as_of - min(here.holder_began_on)) / 30.4375 as tenure_months,
        (here.as_of - max(here.started_on)) / 30.4375 as newest_contract_months,
        avg(round(here.monthly_fee / nullif(line_fees.mean_fee, 0), 9)) as fee_ratio,
        count(*) filter (where coalesce(here.contract_months, 0) > 0) as termed_contracts,
        -- Days to the next end of a term, and since the last one, of the contract that is nearest to it.
        min(case when here.contract_months > 0 then mod(here.contract_months - mod({{ months_between('here.started_on', 'here.as_of') }}, here.contract_months), here.contract_months) end) as months_to_term,
        min(case when here.contract_months > 0 and {{ months_between('here.started_on', 'here.as_of') }} >= here.contract_months then mod({{ months_between('here.started_on', 'here.as_of') }}, here.contract_months) end) as months_since_term
    from here
    inner join line_fees on here.as_of = line_fees.as_of and here.product_line = line_fees.product_line and here.customer_kind = line_fees.customer_kind
    group by here.as_of, here.customer_key
),

keys as (
    select
        base.as_of,
        base.customer_key
    from base
),

ended_lines as (
    select
        keys.as_of,
        keys.customer_key,
        count(*) as ended_contracts_180
    from keys
    inner join contracts on keys.customer_key = contracts.customer_key and contracts.last_on between keys.as_of - 180 and keys.as_of
    group by keys.as_of, keys.customer_key
),

-- Labels look beyond `as_of` and nothing else does: the last contract of all ended within the horizon, and none is known that followed within the days of grace.
stretches as (
    select
        spells.customer_key,
        spells.holder_began_on,
        max(spells.last_on) as left_on
    from {{ ref('ftr_contract_spells') }} as spells
    where spells.customer_key is not null
    group by spells.customer_key, spells.holder_began_on
),

outcomes as (
    select
        keys.as_of,
        keys.customer_key,
        bool_or(stretches.left_on <= keys.as_of + {{ days }}) as has_left
    from keys
    inner join stretches on keys.customer_key = stretches.customer_key and stretches.holder_began_on <= keys.as_of and stretches.left_on > keys.as_of
    group by keys.as_of, keys.customer_key
),

ticket_facts as (
    select
        keys.as_of,
        keys.customer_key,
        count(*) filter (where tickets.created_on > keys.as_of - 90) as tickets_90,
        count(*) filter (where tickets.is_complaint and tickets.created_on > keys.as_of - 30) as complaints_30,
        count(*) filter (where tickets.is_complaint) as complaints_180,
        sum({{ faded('tickets.created_on', 'keys.as_of') }}) filter (where tickets.is_complaint) as complaint_load,
        sum({{ faded('tickets.created_on', 'keys.as_of') }}) filter (where not tickets.is_complaint) as ticket_load,
        count(*) filter (where coalesce(tickets.solved_on > keys.as_of, true)) as open_tickets,
        sum({{ faded('tickets.created_on', 'keys.as_of') }}) filter (where coalesce(tickets.solved_on > tickets.created_on + 3, true) and tickets.created_on <= keys.as_of - 3) as slow_ticket_load
    from keys
    inner join tickets on keys.customer_key = tickets.customer_key and tickets.created_on between keys.as_of - 179 and keys.as_of
    group by keys.as_of, keys.customer_key
),

contact_facts as (
    select
        keys.as_of,
        keys.customer_key,
        count(*) filter (where contacts.started_on > keys.as_of - 30) as contacts_30,
        count(*) as contacts_90,
        count(contacts.issue_id) - count(distinct contacts.issue_id) as repeat_contacts_90,
        sum({{ faded('contacts.started_on', 'keys.as_of') }}) filter (where not contacts.is_marked_solved) as unsolved_contact_load
    from keys
    inner join contacts on keys.customer_key = contacts.customer_key and contacts.started_on between keys.as_of - 89 and keys.as_of
    group by keys.as_of, keys.customer_key
),

commitment_facts as (
    select
        keys.as_of,
        keys.customer_key,
        sum({{ faded('commitments.due_on', 'keys.as_of') }}) filter (
            where
            commitments.commitment_kind = 'promise'
            and commitments.due_on <= keys.as_of
            and (coalesce(commitments.done_on > keys.as_of, true) or coalesce(commitments.is_late, false))
        ) as broken_promise_load,
        sum({{ faded('commitments.done_on', 'keys.as_of') }}) filter (
            where commitments.commitment_kind = 'callback' and commitments.done_on <= keys.as_of and not commitments.is_solved
        ) as unsolved_load
    from keys
    inner join commitments on keys.customer_key = commitments.customer_key and commitments.made_on between keys.as_of - 179 and keys.as_of
    group by keys.as_of, keys.customer_key
),

answer_facts as (
    select
        keys.as_of,
        keys.customer_key,
        round(avg(answers.score_100) filter (where answers.is_csat and answers.responded_on > keys.as_of - 180), 9) as satisfaction_180,
        round(avg(answers.score_100) filter (where answers.is_nps), 9) as recommendation_365,
        count(*) filter (where answers.is_unhappy and answers.responded_on > keys.as_of - 90) as unhappy_answers_90,
        count(*) filter (where answers.is_resolved_answer and not answers.is_said_resolved and answers.responded_on > keys.as_of - 90) as said_unsolved_90
    from keys
    inner join answers on keys.customer_key = answers.customer_key and answers.responded_on between keys.as_of - 364 and keys.as_of
    group by keys.as_of, keys.customer_key
),

bill_facts as (
    select
        keys.as_of,
        keys.customer_key,
        count(*) filter (where bills.transaction_kind = 'charge' and bills.amount > 0 and bills.due_on < keys.as_of and coalesce(bills.paid_on > keys.as_of, true)) as overdue_bills,
        max(keys.as_of - bills.due_on) filter (where bills.transaction_kind = 'charge' and bills.amount > 0 and bills.due_on < keys.as_of and coalesce(bills.paid_on > keys.as_of, true)) as overdue_days,
        count(*) filter (where bills.paid_on > bills.due_on and bills.paid_on <= keys.as_of) as late_payments_180,
        count(*) filter (where bills.transaction_kind = 'return') as refunds_180,
        sum(bills.amount) filter (where bills.transaction_kind = 'charge' and bills.occurred_on > keys.as_of - 31)
        / nullif(sum(bills.amount) filter (where bills.transaction_kind = 'charge' and bills.occurred_on between keys.as_of - 123 and keys.as_of - 31) / 3, 0) as bill_ratio
    from keys
    inner join bills on keys.customer_key = bills.customer_key and bills.occurred_on between keys.as_of - 179 and keys.as_of
    group by keys.as_of, keys.customer_key
),

action_facts as (
    select
        keys.as_of,
        keys.customer_key,
        count(*) filter (where actions.action_kind in ('offer', 'win_back') and not actions.is_control and actions.result = 'accepted' and actions.result_on between keys.as_of - 89 and keys.as_of) as accepted_offers_90,
        count(*) filter (where actions.action_kind in ('offer', 'win_back') and not actions.is_control and actions.result = 'declined' and actions.result_on <= keys.as_of) as declined_offers_180,
        count(*) filter (where actions.action_kind = 'dunning' and actions.occurred_on > keys.as_of - 90) as dunning_steps_90
    from keys
    inner join actions on keys.customer_key = actions.customer_key and actions.occurred_on between keys.as_of - 179 and keys.as_of
    group by keys.as_of, keys.customer_key
)

select
    base.as_of,
    base.customer_key,
    base.is_current,
    case when not base.is_current then outcomes.has_left end as has_left,
    base.org_unit_id,
    base.customer_kind,
    {{ or_unknown('units.province_id') }} as province,
    base.product_line,
    cast(base.monthly_fee as double) as monthly_fee,
    cast(base.contracts as integer) as contracts,
    cast(base.product_lines as integer) as product_lines,
    cast(base.tenure_months as double) as tenure_months,
    cast(base.newest_contract_months as double) as newest_contract_months,
    cast(round(base.fee_ratio, 6) as double) as fee_ratio,
    cast(base.months_to_term as integer) as months_to_term,
    cast(base.months_since_term as integer) as months_since_term,
    cast(coalesce(ended_lines.ended_contracts_180, 0) as integer) as ended_contracts_180,
    cast(coalesce(ticket_facts.tickets_90, 0) as integer) as tickets_90,
    cast(coalesce(ticket_facts.complaints_30, 0) as integer) as complaints_30,
    cast(coalesce(ticket_facts.complaints_180, 0) as integer) as complaints_180,
    cast(round(coalesce(ticket_facts.complaint_load, 0), 6) as double) as complaint_load,
    cast(round(coalesce(ticket_facts.ticket_load, 0), 6) as double) as ticket_load,
    cast(coalesce(ticket_facts.open_tickets, 0) as integer) as open_tickets,
    cast(round(coalesce(ticket_facts.slow_ticket_load, 0), 6) as double) as slow_ticket_load,
    cast(coalesce(contact_facts.contacts_30, 0) as integer) as contacts_30,
    cast(coalesce(contact_facts.contacts_90, 0) as integer) as contacts_90,
    cast(coalesce(contact_facts.repeat_contacts_90, 0) as integer) as repeat_contacts_90,
    cast(round(coalesce(contact_facts.unsolved_contact_load, 0), 6) as double) as unsolved_contact_load,
    cast(round(coalesce(commitment_facts.broken_promise_load, 0), 6) as double) as broken_promise_load,
    cast(round(coalesce(commitment_facts.unsolved_load, 0), 6) as double) as unsolved_load,
    cast(answer_facts.satisfaction_180 as double) as satisfaction_180,
    cast(answer_facts.recommendation_365 as double) as recommendation_365,
    cast(coalesce(answer_facts.unhappy_answers_90, 0) as integer) as unhappy_answers_90,
    cast(coalesce(answer_facts.said_unsolved_90, 0) as integer) as said_unsolved_90,
    cast(coalesce(bill_facts.overdue_bills, 0) as integer) as overdue_bills,
    cast(coalesce(bill_facts.overdue_days, 0) as integer) as overdue_days,
    -- Who has paid every bill on time and now does not is another case than who always pays late.
    cast(case when coalesce(bill_facts.late_payments_180, 0) = 0 then coalesce(bill_facts.overdue_days, 0) else 0 end as integer) as unusual_overdue_days,
    cast(coalesce(bill_facts.late_payments_180, 0) as integer) as late_payments_180,
    cast(coalesce(bill_facts.refunds_180, 0) as integer) as refunds_180,
    cast(round(cast(bill_facts.bill_ratio as double), 6) as double) as bill_ratio,
    cast(coalesce(action_facts.accepted_offers_90, 0) as integer) as accepted_offers_90,
    cast(coalesce(action_facts.declined_offers_180, 0) as integer) as declined_offers_180,
    cast(coalesce(action_facts.dunning_steps_90, 0) as integer) as dunning_steps_90
from base
inner join outcomes on base.as_of = outcomes.as_of and base.customer_key = outcomes.customer_key
left join {{ ref('dim_org_units') }} as units on base.org_unit_id = units.org_unit_id
{% for facts in ['ended_lines', 'ticket_facts', 'contact_facts', 'commitment_facts', 'answer_facts', 'bill_facts', 'action_facts'] -%}
left join {{ facts }} on base.as_of = {{ facts }}.as_of and base.customer_key = {{ facts }}.customer_key
{% endfor %}
{%- endmacro %}
