{{ config(materialized='view') }}

-- A view, so that the comparable form is worked out for the rows that a night asks for, not for all.
select
    identifiers.source,
    identifiers.customer_id,
    identifiers.identifier_kind,
    identifiers.identifier_value,
    {{ normalised_identifier('identifiers.identifier_kind', 'identifiers.identifier_value') }} as identifier_key,
    identifiers.valid_from,
    identifiers.valid_to
from {{ ref('int_customer_identifiers') }} as identifiers
where identifiers._status = 'used'
