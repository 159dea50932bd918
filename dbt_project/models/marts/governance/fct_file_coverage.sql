-- Every record of a loaded file of a table that supplies feeds must be seen by at least one of them.
select
    files.file_id,
    files.source,
    files.table_name,
    files.row_count as records_loaded,
    coalesce(seen.records_seen, 0) as records_seen,
    tables.feeds = '[]' as is_reference_only,
    files.row_count = coalesce(seen.records_seen, 0) as is_covered
from {{ source('raw_meta', 'files') }} as files
inner join {{ source('raw_meta', 'tables') }} as tables
    on files.source = tables.source and files.table_name = tables.table_name
left join {{ ref('int_records_seen') }} as seen on files.file_id = seen.file_id
where files.status = 'loaded' and files.source in ({{ _text_list(var('sources').keys() | list or ['']) }})
