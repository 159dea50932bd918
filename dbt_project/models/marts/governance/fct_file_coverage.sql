-- Every record of a loaded file of a table that supplies feeds must be seen by at least one of them.
with seen as (
    {% for feed in all_feeds() %}
    select _file_id as file_id, _record_number as record_number from {{ ref('int_' ~ feed ~ '__received') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

counted as (
    select file_id, count(distinct record_number) as records_seen from seen group by file_id
)

select
    files.file_id,
    files.source,
    files.table_name,
    files.row_count as records_loaded,
    coalesce(counted.records_seen, 0) as records_seen,
    tables.feeds = '[]' as is_reference_only,
    files.row_count = coalesce(counted.records_seen, 0) as is_covered
from {{ source('raw_meta', 'files') }} as files
inner join {{ source('raw_meta', 'tables') }} as tables
    on files.source = tables.source and files.table_name = tables.table_name
left join counted on files.file_id = counted.file_id
where files.status = 'loaded' and files.source in ({{ _text_list(var('sources').keys() | list or ['']) }})
