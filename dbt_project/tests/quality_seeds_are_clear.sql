-- A line of the seeds of the quality reviews that nobody could follow stops the build, with the line and what to do in its message.
{% set message %}concat(wrong.seed, '.csv: the line "', wrong.line, '" ', wrong.trouble){% endset %}
with coverage as (
    select
        *,
        concat_ws(
            ',', coalesce(agent_role, ''), coalesce(org_unit_id, ''), coalesce(cast(minimum as varchar), ''), coalesce(cast(target as varchar), ''),
            coalesce(cast(valid_from as varchar), '')
        ) as line
    from {{ ref('quality_coverage') }}
),

items as (
    select
        *,
        concat_ws(',', coalesce(item, ''), coalesce(cast(is_on_sheet as varchar), ''), coalesce(cast(weak_below as varchar), '')) as line
    from {{ ref('quality_items') }}
),

wrong as (
    select
        'quality_coverage' as seed,
        line,
        'has no agent_role or no org_unit_id; write * for any.' as trouble
    from coverage
    where agent_role is null or org_unit_id is null
    union all
    select
        'quality_coverage' as seed,
        line,
        'has a * that is not the last sign of its pattern.' as trouble
    from coverage
    where agent_role like '%*%_' or org_unit_id like '%*%_'
    union all
    select
        'quality_coverage' as seed,
        line,
        'needs whole numbers from 0 on, the minimum not above the target.' as trouble
    from coverage
    where coalesce(minimum, -1) < 0 or coalesce(target, -1) < minimum
    union all
    select
        'quality_coverage' as seed,
        '*,*,1,5,' as line,
        'is missing: one line has to hold for every role and unit from the first day (its numbers are yours).' as trouble
    from coverage
    having count(*) filter (where agent_role = '*' and org_unit_id = '*' and valid_from is null) = 0
    union all
    select
        'quality_items' as seed,
        line,
        'has no item, says neither true nor false, or has no weak_below between 0 and 1.' as trouble
    from items
    where item is null or is_on_sheet is null or weak_below is null or weak_below < 0 or weak_below > 1
    union all
    select
        'quality_items' as seed,
        line,
        'is a name that the reports use themselves; call the item otherwise.' as trouble
    from items
    where item in ('all', 'fatal')
    union all
    select
        'quality_items' as seed,
        '*,false,0.75' as line,
        'is missing: it holds for items that have no line.' as trouble
    from items
    having count(*) filter (where item = '*') = 0
)

select
    wrong.seed,
    wrong.line,
    wrong.trouble
from wrong
where {{ refused_with(message) }}
