-- A line of a seed that nobody could follow stops the build, with the line and what to do in its message.
{% set message %}concat(wrong.seed, '.csv: the line "', wrong.line, '" ', wrong.trouble){% endset %}
with targets as (
    select
        *,
        concat_ws(
            ',', coalesce(queue, ''), coalesce(org_unit_id, ''), coalesce(cast(target_seconds as varchar), ''),
            coalesce(cast(short_abandon_seconds as varchar), ''), coalesce(cast(valid_from as varchar), '')
        ) as line
    from {{ ref('service_level_targets') }}
),

scope as (
    select
        *,
        concat_ws(',', coalesce(dimension, ''), coalesce(value, ''), coalesce(reason, '')) as line
    from {{ ref('level_one_scope') }}
),

wrong as (
    select
        'service_level_targets' as seed,
        line,
        'has no queue or no org_unit_id; write * for any.' as trouble
    from targets
    where queue is null or org_unit_id is null
    union all
    select
        'service_level_targets' as seed,
        line,
        'has no target_seconds or short_abandon_seconds; write whole seconds from 0 on.' as trouble
    from targets
    where coalesce(target_seconds, -1) < 0 or coalesce(short_abandon_seconds, -1) < 0
    union all
    select
        'service_level_targets' as seed,
        line,
        'has a * that is not the last sign of its pattern.' as trouble
    from targets
    where queue like '%*%_' or org_unit_id like '%*%_'
    union all
    select
        'service_level_targets' as seed,
        min(line) as line,
        'and another one say different things of the same queue, unit and day; keep one.' as trouble
    from targets
    group by queue, org_unit_id, valid_from
    having count(*) > 1
    union all
    select
        'service_level_targets' as seed,
        '*,*,20,5,' as line,
        'is missing: one line has to hold for every queue and unit from the first day (its seconds are yours).' as trouble
    from targets
    having count(*) filter (where queue = '*' and org_unit_id = '*' and valid_from is null) = 0
    union all
    select
        'level_one_scope' as seed,
        line,
        'names no dimension that a contact has; write ticket_kind, topic or call_type.' as trouble
    from scope
    where dimension is null or dimension not in ('ticket_kind', 'topic', 'call_type')
    union all
    select
        'level_one_scope' as seed,
        line,
        'has no value, or "unknown": what nobody knows cannot be out of scope.' as trouble
    from scope
    where value is null or value = 'unknown'
    union all
    select
        'level_one_scope' as seed,
        min(line) as line,
        'stands there twice; keep one.' as trouble
    from scope
    group by dimension, value
    having count(*) > 1
)

select
    wrong.seed,
    wrong.line,
    wrong.trouble
from wrong
where {{ refused_with(message) }}
