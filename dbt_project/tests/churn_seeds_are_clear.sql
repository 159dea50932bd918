-- What these seeds say must have one meaning: a slip would give departures another type or cause, and nobody would see it.
{% set ticket_kinds = "'tickets', 'unsolved_tickets', 'uncoded_tickets', 'resolution_codes'" %}
{% set kinds = ticket_kinds ~ ", 'end_reason', 'dunning', 'arrears', 'broken_promises', 'unhappy_answers', 'operational_events', 'contract_term'" %}
select
    'churn_rules' as seed,
    concat(r.rule_order, ' ', r.evidence) as named
from {{ ref('churn_rules') }} as r
where
    r.rule_order is null
    or coalesce(r.evidence not in ({{ kinds }}), true)
    or coalesce(r.churn_type not in ('natural', 'malicious', 'competitive', 'negligent'), true)
    or coalesce(r.minimum < 1, true)
    or (r.evidence not in ('end_reason', 'arrears') and r.window_days is null)
    or (r.evidence in ('tickets', 'unsolved_tickets', 'uncoded_tickets') and not {{ matches_pattern('r.parameter', "'^[^:;]+:[^:;]+(;[^:;]+:[^:;]+)*$'") }})
union all
select
    'churn_causes' as seed,
    concat(c.cause_order, ' ', c.evidence) as named
from {{ ref('churn_causes') }} as c
where
    c.cause_order is null
    or coalesce(c.evidence not in ({{ kinds }}, 'churn_type'), true)
    or coalesce(c.value < 0 or c.system < 0 or c.employee < 0 or c.value + c.system + c.employee <= 0, true)
    or (c.evidence not in ('end_reason', 'arrears', 'churn_type') and c.window_days is null)
    or (c.evidence = 'churn_type' and coalesce(c.parameter not in ('natural', 'malicious', 'competitive', 'negligent'), true))
union all
select
    'churn_observation' as seed,
    o.source as named
from {{ ref('churn_observation') }} as o
where o.source is null or o.observed_from is null
