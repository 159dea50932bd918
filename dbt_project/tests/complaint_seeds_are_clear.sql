-- A line of the complaint seeds that names what is not there would have no effect, and nobody would see it.
select
    'complaint_rules' as seed,
    r.complaint_rule as named
from {{ ref('complaint_rules') }} as r
where r.complaint_rule not in ('kind', 'demand', 'text') or r.is_used is null
union all
select
    'complaint_words' as seed,
    concat_ws(' ', w.sense, w.value) as named
from {{ ref('complaint_words') }} as w
where
    coalesce(w.sense, '') not in ('dissatisfaction', 'praise', 'claim', 'escalation', 'object')
    or coalesce(trim(w.pattern), '') = ''
    or w.priority is null
    or (w.sense = 'claim' and w.value not in ('damages', 'refund', 'repair', 'replace', 'redo', 'non_material', 'solution'))
    or (w.sense = 'escalation' and w.value not in ('court', 'regulator', 'media', 'leaving'))
    or (w.sense = 'object' and w.value not in ('product', 'process', 'employee', 'partner'))
union all
select
    'complaint_codes' as seed,
    concat_ws(' ', c.field, c.code, c.says, c.result) as named
from {{ ref('complaint_codes') }} as c
where
    c.code is null
    or c.code <> lower(c.code)
    or not coalesce(
        (c.says = 'case' and c.field in ('call_type', 'queue') and c.result in ('opens', 'joins'))
        or (
            c.says = 'remedy' and c.field = 'resolution_code'
            and c.result in ('damages', 'refund', 'repair', 'replace', 'redo', 'non_material', 'solution', 'unspecified', 'none')
        )
        or (c.says = 'object' and c.field in ('resolution_code', 'topic') and c.result in ('product', 'process', 'employee', 'partner')),
        false
    )
union all
select
    'complaint_promises' as seed,
    concat_ws(' ', p.policy, p.stage) as named
from {{ ref('complaint_promises') }} as p
where
    coalesce(p.stage, '') not in ('accept', 'dispatch', 'first_answer', 'close', 'tell')
    or coalesce(p.clock, '') not in ('calendar', 'business')
    or coalesce(p.target_seconds, -1) < 0
    or p.valid_to < p.valid_from
