{#- Body of every `int_<feed>`: all received rows with their fate.

    The newest version of a key decides, by (source's version column, delivery, file, record). If it is valid it is
    `used`, if not it is `quarantined`; all earlier ones are `superseded`. A key whose newest version says "deleted",
    or that is absent from the newest delivery of a snapshot table, has no used row. A row without a key is its own key.

    Only keys that occur more than once are ranked: the others need no window, which keeps memory flat. -#}
{% macro feed_versions(received) -%}
    {%- if execute -%}
        {{ _versions_sql(received) }}
    {%- else -%}
        select 1 as parsed_only
    {%- endif -%}
{%- endmacro %}

{% macro feed_key(feed) -%}
    {{ return(graph.nodes['model.csatlas.int_' ~ feed ~ '__received'].config.meta.key) }}
{%- endmacro %}

{% macro feed_of_model() -%}
    {{ return(model.name | replace('int_', '', 1) | replace('__received', '')) }}
{%- endmacro %}

{#- Hash of (source, key); rows whose key has a missing part get a hash of their own. -#}
{% macro key_hash(key, alias) -%}
    {%- set required = [] -%}
    {%- for column in key -%} {%- do required.append("coalesce(cast(" ~ alias ~ "." ~ column ~ " as varchar), '')") -%} {%- endfor -%}
    case
        when {{ alias }}.{{ key[0] }} is null then {{ quick_hash([alias ~ '._file_id', alias ~ '._record_number', alias ~ '._sub_record']) }}
        else {{ quick_hash([alias ~ '.source'] + required) }}
    end
{%- endmacro %}

{% macro _versions_sql(received) -%}
    {%- set key = feed_key(feed_of_model()) -%}
    {%- set key_columns = [] -%}
    {%- for column in key -%} {%- do key_columns.append("coalesce(cast(" ~ column ~ " as varchar), '')") -%} {%- endfor %}
with touched as (
    {{ touched_partitions() if is_incremental() else "select date '1900-01-01' as _partition_date where false" }}
),

{#- An increment asks about the keys of its own partitions only: to count every key ever received would cost the whole table. -#}
repeated_keys as (
    select _key_hash
    from {{ received }}
    {%- if is_incremental() %}
    where _key_hash in (
        select own._key_hash
        from {{ received }} as own
        where own._partition_date in (select t._partition_date from touched as t)
    )
    {%- endif %}
    group by _key_hash
    having count(*) > 1
),

ranked as (
    select
        received._file_id,
        received._record_number,
        received._sub_record,
        row_number() over (
            partition by source, {{ key_columns | join(', ') }}, case when {{ key[0] }} is null then concat(_file_id, '/', _record_number, '/', _sub_record) end
            order by _version desc nulls last, _delivery desc, _file_id desc, _record_number desc, _sub_record desc
        ) as version_rank,
        max(_delivery) over (
            partition by source, {{ key_columns | join(', ') }}, case when {{ key[0] }} is null then concat(_file_id, '/', _record_number, '/', _sub_record) end
        ) as key_newest_delivery
    from {{ received }} as received
    where received._key_hash in (select repeated_keys._key_hash from repeated_keys)
),

{#- A delivery with a damaged record or a refused file proves nothing about what it lacks. #}
complete_snapshots as (
    select
        files.source,
        files.table_name,
        files.delivery
    from {{ source('raw_meta', 'files') }} as files
    inner join {{ source('raw_meta', 'tables') }} as tables
        on files.source = tables.source and files.table_name = tables.table_name
    where tables.delivery_mode = 'snapshot'
    group by files.source, files.table_name, files.delivery
    having bool_and(files.status = 'loaded') and sum(files.damaged_count) = 0
),

newest_snapshots as (
    select
        source,
        table_name,
        max(delivery) as newest_delivery
    from complete_snapshots
    group by source, table_name
),

fates as (
    select
        {{ columns_without('received', ['_key_hash']) }},
        case
            when coalesce(ranked.version_rank, 1) > 1 then 'superseded'
            when not {{ list_is_empty('received._reasons') }} then 'quarantined'
            when received._is_deleted then 'superseded'
            when newest_snapshots.newest_delivery > coalesce(ranked.key_newest_delivery, received._delivery) then 'superseded'
            else 'used'
        end as _status,
        case
            when coalesce(ranked.version_rank, 1) > 1 then 'newer_version'
            when not {{ list_is_empty('received._reasons') }} then 'invalid'
            when received._is_deleted then 'deleted_at_source'
            when newest_snapshots.newest_delivery > coalesce(ranked.key_newest_delivery, received._delivery) then 'absent_from_snapshot'
        end as _status_reason
    from {{ received }} as received
    left join ranked
        on
            received._file_id = ranked._file_id
            and received._record_number = ranked._record_number
            and received._sub_record = ranked._sub_record
    left join newest_snapshots
        on received.source = newest_snapshots.source and received._table = newest_snapshots.table_name
    {%- if is_incremental() %}
    where received._partition_date in (select touched._partition_date from touched)
    {%- endif %}
)

select * from fates
{%- endmacro %}
