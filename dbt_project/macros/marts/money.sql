{#- Exchange rates with the days on which they hold: from `valid_from` (empty = always) up to, not including, the next line of the currency. -#}
{% macro exchange_rate_spans() -%}
    (
        select
            rates.currency,
            rates.rate,
            coalesce(rates.valid_from, date '1900-01-01') as valid_from,
            coalesce(lead(rates.valid_from) over (partition by rates.currency order by rates.valid_from nulls first), date '9999-12-31') as valid_to
        from {{ ref('exchange_rates') }} as rates
    )
{%- endmacro %}

{#- An amount in the reporting currency, to the cent. A null currency is the reporting currency; a currency without a rate gives null. Most rates are 1,
    and a row of those costs no multiplication. -#}
{% macro converted(amount, currency, rate) -%}
    case
        when {{ currency }} is null or {{ rate }} = 1 then {{ amount }}
        else cast({{ amount }} * {{ rate }} as decimal(18, 2))
    end
{%- endmacro %}

{#- What people handled: calls, messages, tickets and visits with the seconds that they took (null = unknown; of tickets no seconds count), each with the contact that it is
    part of. `source` is that of the customer's id. -#}
{% macro handled_contacts() -%}
    (
        select
            'call' as contact_kind,
            facts.source as contact_source,
            concat('call:', facts.call_id) as contact_id,
            'phone' as channel,
            coalesce(facts.customer_source, facts.source) as source,
            facts.customer_id,
            facts.caller_phone,
            facts.org_unit_id,
            facts.started_at as handled_at,
            case when facts.talk_seconds >= 0 then facts.talk_seconds + coalesce(facts.hold_seconds, 0) + coalesce(facts.wrap_up_seconds, 0) end as seconds
        from {{ ref('int_call_facts') }} as facts
        where facts.exclusion_kind is null and facts.disposition = 'answered'
        union all
        select
            'message' as contact_kind,
            facts.source as contact_source,
            concat('message:', facts.message_session_id) as contact_id,
            facts.channel,
            coalesce(facts.customer_source, facts.source) as source,
            facts.customer_id,
            null as caller_phone,
            facts.org_unit_id,
            facts.started_at as handled_at,
            case when facts.session_seconds >= 0 then facts.session_seconds end as seconds
        from {{ ref('int_message_facts') }} as facts
        where facts.is_human_answered
        union all
        select
            'ticket' as contact_kind,
            facts.source as contact_source,
            concat('ticket:', facts.ticket_id) as contact_id,
            facts.channel,
            coalesce(facts.customer_source, facts.source) as source,
            facts.customer_id,
            null as caller_phone,
            facts.org_unit_id,
            facts.created_at as handled_at,
            null as seconds
        from {{ ref('int_ticket_facts') }} as facts
        where facts.is_in_base
        union all
        select
            'visit' as contact_kind,
            facts.source as contact_source,
            concat('ticket:', facts.ticket_id) as contact_id,
            facts.channel,
            coalesce(facts.customer_source, facts.source) as source,
            facts.customer_id,
            null as caller_phone,
            facts.org_unit_id,
            coalesce(visits.reached_at, visits.ended_at) as handled_at,
            case when visits.ended_at >= visits.reached_at then {{ seconds_between('visits.reached_at', 'visits.ended_at') }} end as seconds
        from {{ ref('int_ticket_work') }} as visits
        inner join {{ ref('int_ticket_facts') }} as facts on visits.source = facts.source and visits.ticket_id = facts.ticket_id
        where visits.work_kind = 'visit' and facts.is_in_base
    )
{%- endmacro %}

{#- The rates of seeds/service_costs.csv with the days on which they hold. The line of a channel wins over the line of all channels (`*`). -#}
{% macro service_rate_spans() -%}
    (
        select
            costs.contact_kind,
            costs.channel,
            costs.cost_per_contact,
            costs.cost_per_minute,
            coalesce(costs.valid_from, date '1900-01-01') as valid_from,
            coalesce(lead(costs.valid_from) over (partition by costs.contact_kind, costs.channel order by costs.valid_from nulls first), date '9999-12-31') as valid_to
        from {{ ref('service_costs') }} as costs
    )
{%- endmacro %}

{#- What one of them cost: an amount a contact and one a minute, to the cent. -#}
{% macro service_cost(own, every, seconds) -%}
    cast(
        coalesce({{ own }}.cost_per_contact, {{ every }}.cost_per_contact, 0)
        + coalesce({{ own }}.cost_per_minute, {{ every }}.cost_per_minute, 0) * coalesce({{ seconds }}, 0) / 60.0 as decimal(18, 2)
    )
{%- endmacro %}
