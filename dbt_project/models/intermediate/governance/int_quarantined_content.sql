{{ config(
    materialized='incremental',
    meta={'append_only': true},
    pre_hook="{{ forget_rows_not_in('int_quarantined', ['file_id', 'record_number']) }}",
) }}

-- One row per raw record that is in quarantine in some feed, with the shape of its content: the line of a damaged record, else
-- the record's own columns, every letter and digit replaced. The original stands in raw only. A record never changes, so
-- only those without their content yet are looked up.
with wanted as (
    select distinct
        q.source,
        q.table_name,
        q.file_id,
        q.record_number
    from {{ ref('int_quarantined') }} as q
    {% if is_incremental() %}
    where not exists (select 1 from {{ this }} as known where known.file_id = q.file_id and known.record_number = q.record_number)
    {% endif %}
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

select
    file_id,
    record_number,
    problem,
    case
        when problem is not null then {{ masked('left(content, 500)') }}
        else {{ json_pairs('content', masked) }}
    end as content
from contents
