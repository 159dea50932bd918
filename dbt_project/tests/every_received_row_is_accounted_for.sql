-- received = used + superseded + quarantined, for every source, feed and file.
select source, feed, table_name, file_id, received, used, superseded, quarantined
from {{ ref('fct_load_accounting') }}
where not is_balanced
