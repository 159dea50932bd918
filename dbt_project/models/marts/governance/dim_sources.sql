-- Freshness of each enabled source: when something last arrived, against when it should.
with tables as (
    select
        source,
        any_value(label_en) as label_en,
        any_value(label_zh) as label_zh,
        bool_or(is_required) as is_required,
        max(expected_every_seconds) as expected_every_seconds
    from {{ source('raw_meta', 'tables') }}
    where source in ({{ _text_list(var('sources').keys() | list or ['']) }})
    group by source
),

loads as (
    select
        source,
        count(*) filter (where status = 'loaded') as files_loaded,
        count(*) filter (where status = 'refused') as files_refused,
        sum(row_count) as rows_loaded,
        max(loaded_at) filter (where status = 'loaded') as last_loaded_at,
        max(delivery) filter (where status = 'loaded') as newest_delivery
    from {{ source('raw_meta', 'files') }}
    group by source
)

select
    tables.source,
    tables.label_en,
    tables.label_zh,
    tables.is_required,
    tables.expected_every_seconds,
    coalesce(loads.files_loaded, 0) as files_loaded,
    coalesce(loads.files_refused, 0) as files_refused,
    cast(coalesce(loads.rows_loaded, 0) as bigint) as rows_loaded,
    loads.last_loaded_at,
    loads.newest_delivery
from tables
left join loads on tables.source = loads.source
