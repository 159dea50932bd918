-- Every record of a loaded file reached at least one feed, unless its table is only looked up.
select file_id, source, table_name, records_loaded, records_seen
from {{ ref('fct_file_coverage') }}
where not is_covered and not is_reference_only
