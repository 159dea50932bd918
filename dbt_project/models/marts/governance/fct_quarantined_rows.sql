-- Every row that cannot be used, with its reasons and where to find it. The original content of a damaged record stands in
-- raw; `content` shows its shape with every letter and digit replaced.
select
    quarantined.source,
    quarantined.feed,
    quarantined.table_name,
    quarantined.file_id,
    quarantined.record_number,
    quarantined.sub_record,
    files.file_name,
    -- An identifier is its own key there, and personal.
    case when quarantined.feed = 'customer_identifiers' then {{ masked('quarantined.row_key') }} else quarantined.row_key end as row_key,
    quarantined.reasons,
    content.problem,
    content.content,
    quarantined.delivery,
    quarantined.loaded_at
from {{ ref('int_quarantined') }} as quarantined
inner join {{ source('raw_meta', 'files') }} as files on quarantined.file_id = files.file_id
left join {{ ref('int_quarantined_content') }} as content
    on quarantined.file_id = content.file_id and quarantined.record_number = content.record_number
