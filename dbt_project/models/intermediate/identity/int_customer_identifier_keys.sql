-- One row per customer of a source and normalised identifier. `is_shared`: too many customers of one source carry it, so it links nobody.
with normalised as (
    select distinct
        source,
        customer_id,
        identifier_kind,
        {{ normalised_identifier('identifier_kind', 'identifier_value') }} as identifier_key
    from {{ ref('int_customer_identifiers') }}
    where _status = 'used'
),

counted as (
    select
        identifier_kind,
        identifier_key,
        source,
        count(*) as customers
    from normalised
    where identifier_key is not null
    group by identifier_kind, identifier_key, source
),

most as (
    select identifier_kind, identifier_key, max(customers) as customers
    from counted
    group by identifier_kind, identifier_key
)

select
    normalised.source,
    normalised.customer_id,
    normalised.identifier_kind,
    normalised.identifier_key,
    most.customers > case normalised.identifier_kind
        when 'phone' then {{ threshold('shared_phone_limit') }}
        when 'email' then {{ threshold('shared_email_limit') }}
        else {{ threshold('shared_strong_limit') }}
    end as is_shared,
    normalised.identifier_kind in ('phone', 'email', 'contract', 'member', 'national_id') as is_linking
from normalised
inner join most
    on normalised.identifier_kind = most.identifier_kind and normalised.identifier_key = most.identifier_key
