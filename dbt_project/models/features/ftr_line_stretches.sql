-- One line of one holder, from the first day of its first contract to the last day of the last one that follows within the days of grace.
with stretches as (
    select
        spells.holder_key,
        spells.product_line,
        spells.line_began_on as began_on,
        max(spells.holder_began_on) as holder_began_on,
        max(spells.last_on) as left_on,
        max(spells.customer_key) as customer_key,
        min(spells.customer_kind) as customer_kind,
        min(spells.org_unit_id) as org_unit_id,
        case when min(spells.source) = max(spells.source) then min(spells.source) else 'several' end as source,
        max(spells.known_until) as known_until,
        min(spells.observed_from) as observed_from
    from {{ ref('ftr_contract_spells') }} as spells
    group by spells.holder_key, spells.product_line, spells.line_began_on
)

select
    stretches.*,
    lead(stretches.began_on) over line_order as returned_on,
    row_number() over line_order as stretch_number
from stretches
window line_order as (partition by stretches.holder_key, stretches.product_line order by stretches.began_on)
