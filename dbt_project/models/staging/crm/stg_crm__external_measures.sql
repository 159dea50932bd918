{{ config(enabled='crm' in var('sources')) }}

-- A published value may be broken in print ("71."); the note says so and the bounds stand in for it.
select
    measure,
    entity,
    period,
    product as product_line,
    case when value not like '%.' then value end as value,
    lower_bound,
    upper_bound,
    note as value_note,
    cited_source,
    {{ load_facts('external_measures') }}
from {{ source('crm', 'external_measures') }}
