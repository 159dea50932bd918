-- One row per raw record that is in quarantine in some feed, with its original content: the line of a damaged record, else
-- the record's own columns as JSON.
with wanted as (
    {% for feed in all_feeds() %}
    select distinct source, _table as table_name, _file_id as file_id, _record_number as record_number
    from {{ ref('int_' ~ feed) }}
    where _status = 'quarantined'
    {{ 'union' if not loop.last }}
    {% endfor %}
),

{% set tables = [] %}
{% if execute %}
{% for source_node in graph.sources.values() %}
{% if source_node.source_name in var('sources') %}{% do tables.append(source_node) %}{% endif %}
{% endfor %}
{% endif %}
contents as (
    {% for table in tables | sort(attribute='unique_id') %}
    select
        wanted.file_id,
        wanted.record_number,
        record._problem as problem,
        coalesce(record._content, cast(to_json(record) as varchar)) as content
    from wanted
    inner join {{ table.relation_name }} as record
        on wanted.file_id = record._file_id and wanted.record_number = record._record_number
    where wanted.source = '{{ table.source_name }}' and wanted.table_name = '{{ table.name }}'
    union all
    {% endfor %}
    select cast(null as bigint), cast(null as bigint), cast(null as varchar), cast(null as varchar)
    where false
)

select * from contents
