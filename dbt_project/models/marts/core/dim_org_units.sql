-- The newest description of each unit, with its way up the tree. A unit whose parent is missing, or that stands above
-- itself, is kept as a root of its own and flagged.
with recursive newest as (
    select *
    from {{ ref('dim_org_unit_history') }}
    qualify row_number() over (partition by org_unit_id order by valid_from desc, source asc) = 1
),

walk as (
    select
        org_unit_id as unit,
        org_unit_id as ancestor,
        parent_unit_id as next_up,
        unit_level as ancestor_level,
        0 as distance
    from newest
    union all
    select
        walk.unit,
        newest.org_unit_id as ancestor,
        newest.parent_unit_id as next_up,
        newest.unit_level as ancestor_level,
        walk.distance + 1 as distance
    from walk
    inner join newest on walk.next_up = newest.org_unit_id
    where walk.distance < 12
),

paths as (
    select
        unit,
        string_agg(ancestor, '/' order by distance desc) filter (where distance < 12) as path,
        max(distance) as depth,
        arg_min(ancestor, distance) filter (where ancestor_level = 'province') as province_id,
        arg_min(ancestor, distance) filter (where ancestor_level = 'city') as city_id
    from walk
    group by unit
)

select
    newest.org_unit_id,
    newest.unit_name,
    newest.unit_name_en,
    newest.unit_level,
    newest.parent_unit_id,
    paths.province_id,
    paths.city_id,
    concat('/', paths.path, '/') as path,
    cast(least(paths.depth, 12) as integer) as depth,
    newest.time_zone,
    newest.calendar_id,
    paths.depth >= 12 as is_in_a_cycle,
    newest.parent_unit_id is not null and parent.org_unit_id is null as is_orphan
from newest
inner join paths on newest.org_unit_id = paths.unit
left join newest as parent on newest.parent_unit_id = parent.org_unit_id
