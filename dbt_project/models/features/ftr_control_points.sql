-- Headquarters is everything, also what no unit owns; what a level leaves over stands in a row of its own (`rest`), so that each number is
-- exactly the sum of its parts. Channels and product lines are charts of their own beside the units, of the whole company.
with head_office as (
    select case when count(*) = 1 then min(org_unit_id) end as org_unit_id
    from {{ ref('dim_org_units') }}
    where unit_level = 'headquarters'
),

parts as (
    select * from {{ ref('ftr_control_parts') }}
),

mart_days as (
    select
        mart,
        min(day) as first_day,
        max(day) as as_of
    from parts
    group by mart
),

summed as (
    select
        metric,
        'headquarters' as unit_level,
        (select head_office.org_unit_id from head_office) as org_unit_id,
        cast(null as varchar) as parent_unit_id,
        cast(null as varchar) as part,
        day,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from parts
    group by metric, day
    union all
    select
        metric,
        case when province_id is null then 'rest' else 'province' end as unit_level,
        coalesce(province_id, (select head_office.org_unit_id from head_office)) as org_unit_id,
        (select head_office.org_unit_id from head_office) as parent_unit_id,
        cast(null as varchar) as part,
        day,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from parts
    group by metric, province_id, day
    union all
    select
        metric,
        case when city_id is null then 'rest' else 'city' end as unit_level,
        coalesce(city_id, province_id) as org_unit_id,
        province_id as parent_unit_id,
        cast(null as varchar) as part,
        day,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from parts
    where city_id is not null or province_id is not null
    group by metric, province_id, city_id, day
    {%- for level in ['channel', 'product_line'] %}
    union all
    select
        parts.metric,
        '{{ level }}' as unit_level,
        (select head_office.org_unit_id from head_office) as org_unit_id,
        cast(null as varchar) as parent_unit_id,
        parts.{{ level }} as part,
        parts.day,
        sum(parts.numerator) as numerator,
        sum(parts.denominator) as denominator
    from parts
    inner join {{ ref('control_charts') }} as settings on parts.metric = settings.metric
    where {{ is_listed("'" ~ level ~ "'", 'settings.levels') }} and coalesce(parts.{{ level }}, 'unknown') <> 'unknown'
    group by parts.metric, parts.{{ level }}, parts.day
    {%- endfor %}
),

placed as (
    select
        summed.*,
        concat(summed.metric, '|', summed.unit_level, '|', coalesce(summed.part, summed.org_unit_id, 'all')) as chart_id
    from summed
),

-- What is counted per day has zeros from the first day of its unit; a share has no row on a day without a base.
charts as (
    select
        placed.chart_id,
        placed.metric,
        placed.unit_level,
        placed.org_unit_id,
        placed.parent_unit_id,
        placed.part,
        min(placed.day) as first_day
    from placed
    group by all
),

grid as (
    select
        charts.*,
        settings.chart_kind,
        settings.direction,
        settings.minimum_base,
        settings.final_days,
        settings.owner,
        settings.denominator = 'day' as is_per_day,
        list_contains(string_split(settings.levels, ';'), charts.unit_level) as is_charted,
        mart_days.as_of,
        calendar.day,
        case
            when calendar.holiday_name_en is not null and not calendar.is_working_day then 8
            when calendar.weekday > 5 and calendar.is_working_day then 1
            else calendar.weekday
        end as day_class
    from charts
    inner join {{ ref('control_charts') }} as settings on charts.metric = settings.metric
    inner join mart_days on settings.mart = mart_days.mart
    inner join {{ ref('dim_calendar') }} as calendar on calendar.day between charts.first_day and mart_days.as_of
)

select
    grid.chart_id,
    grid.metric,
    grid.chart_kind,
    grid.direction,
    grid.owner,
    grid.unit_level,
    grid.org_unit_id,
    grid.parent_unit_id,
    grid.part,
    concat(grid.metric, '|headquarters|', coalesce((select head_office.org_unit_id from head_office), 'all')) as pattern_of,
    grid.day,
    cast(grid.day_class as integer) as day_class,
    cast(coalesce(placed.numerator, 0) as bigint) as numerator,
    cast(case when grid.is_per_day then 1 else coalesce(placed.denominator, 0) end as bigint) as denominator,
    grid.is_per_day,
    grid.minimum_base,
    grid.is_charted,
    grid.day <= grid.as_of - grid.final_days as is_final,
    grid.as_of
from grid
left join placed on grid.chart_id = placed.chart_id and grid.day = placed.day
where grid.is_per_day or placed.denominator > 0
