-- What a part counts is what the history file of `csatlas show customer` shows of it.
with customers as (
    select customer_key, org_unit_id, customer_kind, source_count, customer_since
    from {{ ref('dim_customers') }}
    where not is_gone
),

contacts as (
    select customer_key, contact_kind, started_on from {{ ref('fct_contacts') }}
),

responses as (
    select customer_key, responded_on from {{ ref('fct_survey_responses') }}
),

transactions as (
    select customer_key, occurred_on
    from {{ ref('fct_transactions') }}
    where is_billed
),

subscriptions as (
    select customer_key, started_on, ended_on from {{ ref('fct_subscriptions') }}
),

actions as (
    select customer_key, occurred_on
    from {{ ref('fct_customer_actions') }}
    where not is_control
),

as_of as (
    select max(last_day) as last_day, max(last_day) - 364 as first_day
    from (
        select max(started_on) as last_day from contacts
        union all
        select max(occurred_on) from transactions
        union all
        select max(responded_on) from responses
    ) as days
),

present as (
    select distinct contacts.customer_key, contacts.contact_kind || 's' as part
    from contacts
    inner join as_of on contacts.started_on between as_of.first_day and as_of.last_day
    union all
    select distinct responses.customer_key, 'surveys' as part
    from responses
    inner join as_of on responses.responded_on between as_of.first_day and as_of.last_day
    union all
    select distinct transactions.customer_key, 'money' as part
    from transactions
    inner join as_of on transactions.occurred_on between as_of.first_day and as_of.last_day
    union all
    select distinct actions.customer_key, 'actions' as part
    from actions
    inner join as_of on actions.occurred_on between as_of.first_day and as_of.last_day
    union all
    select distinct subscriptions.customer_key, 'contracts' as part
    from subscriptions
    inner join as_of on subscriptions.started_on <= as_of.last_day and coalesce(subscriptions.ended_on > as_of.last_day, true)
    union all
    select customer_key, 'several_systems' as part
    from customers
    where source_count > 1
    union all
    select customer_key, 'profile' as part
    from customers
    where customer_kind <> 'unknown' and org_unit_id is not null and customer_since is not null
),

parts as (
    select unnest(['profile', 'several_systems', 'contracts', 'money', 'tickets', 'calls', 'messages', 'surveys', 'actions']) as part
),

groups as (
    select org_unit_id, customer_kind, count(*) as customers
    from customers
    group by org_unit_id, customer_kind
),

counted as (
    select customers.org_unit_id, customers.customer_kind, present.part, count(*) as customers_with
    from customers
    inner join present on customers.customer_key = present.customer_key
    group by customers.org_unit_id, customers.customer_kind, present.part
),

final as (
    select
        coalesce(groups.org_unit_id, 'unknown') as unit_or_unknown,
        groups.org_unit_id,
        groups.customer_kind,
        parts.part,
        groups.customers,
        coalesce(counted.customers_with, 0) as customers_with,
        as_of.last_day as counted_on
    from groups
    cross join parts
    cross join as_of
    left join counted
        on
            groups.org_unit_id is not distinct from counted.org_unit_id
            and groups.customer_kind = counted.customer_kind
            and parts.part = counted.part
)

select * from final
