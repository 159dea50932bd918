select
    file_id,
    source,
    table_name,
    file_name,
    delivery,
    status as file_status,
    encoding,
    path as load_path,
    row_count,
    damaged_count,
    size_bytes,
    warnings,
    message,
    load_id,
    seconds,
    loaded_at
from {{ source('raw_meta', 'files') }}
