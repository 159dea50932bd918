{{ config(enabled='crm' in var('sources')) }}

-- A published value may be broken in print: of "71." the last digit is lost. It is no number; what it can have been are the bounds.
with printed as (
    select
        *,
        {{ blank_to_null('value') }} as said,
        regexp_full_match({{ blank_to_null('value') }}, '[0-9]+\.') as is_broken
    from {{ source('crm', 'external_measures') }}
)

select
    measure,
    entity,
    period,
    product as product_line,
    case when not coalesce(is_broken, false) then said end as value,
    coalesce({{ blank_to_null('lower_bound') }}, case when is_broken then concat(said, '0') end) as lower_bound,
    coalesce({{ blank_to_null('upper_bound') }}, case when is_broken then concat(said, '9') end) as upper_bound,
    coalesce({{ blank_to_null('note') }}, case when is_broken then concat('printed as "', said, '"') end) as value_note,
    cited_source,
    {{ load_facts('external_measures') }}
from printed
