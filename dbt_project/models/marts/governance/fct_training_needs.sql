-- As of the newest week with a review. Who has left needs no training.
with items as (
    select items.*
    from {{ ref('fct_weak_items') }} as items
    left join {{ ref('dim_agents') }} as agents on items.agent_id = agents.agent_id
    where items.is_newest_week and items.item_state <> 'too_few' and (agents.left_on is null or agents.left_on >= items.week_on)
),

summed as (
    select
        org_unit_id,
        item,
        max(week_on) as week_on,
        max(weak_below) as weak_below,
        count(*) as agents_judged,
        count(*) filter (where item_state = 'weak') as agents_weak,
        count(*) filter (where item_state = 'suspected') as agents_suspected,
        sum(weak_below - score) filter (where item_state in ('weak', 'suspected')) as shortfall,
        string_agg(agent_id, ';' order by score asc, agent_id asc) filter (where item_state = 'weak') as weak_agents,
        string_agg(agent_id, ';' order by score asc, agent_id asc) filter (where item_state = 'suspected') as suspected_agents
    from items
    group by org_unit_id, item
)

select
    coalesce(org_unit_id, 'unknown') as team_id,
    org_unit_id,
    item,
    week_on,
    weak_below,
    cast(agents_judged as integer) as agents_judged,
    cast(agents_weak as integer) as agents_weak,
    cast(agents_suspected as integer) as agents_suspected,
    coalesce(shortfall, 0) as shortfall,
    weak_agents,
    suspected_agents,
    case
        when agents_weak + agents_suspected > 0
            then cast(row_number() over (order by agents_weak desc, agents_suspected desc, coalesce(shortfall, 0) desc, org_unit_id asc, item asc) as integer)
    end as priority
from summed
