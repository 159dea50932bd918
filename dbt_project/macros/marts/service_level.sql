{#- Whether a name fits a pattern of a seed: the name itself, its beginning followed by `*`, or `*`. -#}
{% macro fits_pattern(name, pattern) -%}
    ({{ name }} = {{ pattern }} or ({{ pattern }} like '%*' and left({{ name }}, length({{ pattern }}) - 1) = left({{ pattern }}, length({{ pattern }}) - 1)))
{%- endmacro %}

{#- What seeds/service_level_targets.csv says of each queue and unit of a relation: one row per queue, unit and stretch of time, `began_at` included, `ended_at`
    not. Of the lines that fit and have begun, that with the closest queue holds, then that with the closest unit, then the newest. The days are those of the
    default time zone, so that a target changes everywhere at one instant. The names are those that the marts show (`unknown` where there is none).
    `where`: condition on the relation's rows. -#}
{% macro service_level_targets_of(relation, where='true') -%}
    (
        with asked as (
            select distinct
                {{ or_unknown('queue') }} as queue,
                {{ or_unknown('org_unit_id') }} as org_unit_id
            from {{ relation }}
            where {{ where }}
        ),

        fitting as (
            select
                asked.queue,
                asked.org_unit_id,
                t.target_seconds,
                t.short_abandon_seconds,
                {{ sort_key(['t.queue = asked.queue', 'length(t.queue)', 't.org_unit_id = asked.org_unit_id', 'length(t.org_unit_id)', "coalesce(t.valid_from, date '1970-01-01')"]) }} as closeness,
                coalesce(t.valid_from, date '1970-01-01') as valid_from
            from asked
            inner join {{ ref('service_level_targets') }} as t on {{ fits_pattern('asked.queue', 't.queue') }} and {{ fits_pattern('asked.org_unit_id', 't.org_unit_id') }}
        ),

        held as (
            select
                begins.queue,
                begins.org_unit_id,
                begins.valid_from,
                {{ last_value_of('fitting.target_seconds', 'fitting.closeness') }} as target_seconds,
                {{ last_value_of('fitting.short_abandon_seconds', 'fitting.closeness') }} as short_abandon_seconds
            from (select distinct queue, org_unit_id, valid_from from fitting) as begins
            inner join fitting
                on begins.queue = fitting.queue and begins.org_unit_id = fitting.org_unit_id and fitting.valid_from <= begins.valid_from
            group by begins.queue, begins.org_unit_id, begins.valid_from
        )

        select
            queue,
            org_unit_id,
            target_seconds,
            short_abandon_seconds,
            {{ local_to_utc('cast(valid_from as timestamp)', var('default_time_zone')) }} as began_at,
            coalesce(
                lead({{ local_to_utc('cast(valid_from as timestamp)', var('default_time_zone')) }}) over (partition by queue, org_unit_id order by valid_from),
                timestamp '9999-12-31'
            ) as ended_at
        from held
    )
{%- endmacro %}

{#- Joins a row (its queue and unit as the marts show them) to the stretch in which an instant lies. -#}
{% macro join_service_level_targets(alias, instant) -%}
    left join service_level_targets
        on
            {{ or_unknown(alias ~ '.queue') }} = service_level_targets.queue
            and {{ or_unknown(alias ~ '.org_unit_id') }} = service_level_targets.org_unit_id
            and {{ alias }}.{{ instant }} >= service_level_targets.began_at
            and {{ alias }}.{{ instant }} < service_level_targets.ended_at
{%- endmacro %}

{#- Whether level one is able to solve what a row is about: none of its values stands in seeds/level_one_scope.csv. `columns`: {dimension of the seed: column}. -#}
{% macro is_in_level_one_scope(columns) -%}
    not (
        {%- for dimension, column in columns.items() %}
        coalesce({{ column }} in (select s.value from {{ ref('level_one_scope') }} as s where s.dimension = '{{ dimension }}'), false){{ ' or' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- Bin of a wait for histograms: half-open, so that 5 seconds lie in [5,10). -#}
{% macro wait_bucket(seconds) -%}
    {%- set edges = [0, 5, 10, 20, 30, 60, 120, 300, 600] -%}
    case
        {%- for edge in edges[1:] %}
        when {{ seconds }} < {{ edge }} then '[{{ edges[loop.index0] }},{{ edge }})'
        {%- endfor %}
        when {{ seconds }} >= {{ edges[-1] }} then '[{{ edges[-1] }},)'
    end
{%- endmacro %}
