-- received = used + superseded + quarantined. `received` is counted in the received layer and the fates in the layer after
-- it, so a row lost between the two breaks the balance.
with received as (
    {% for feed in all_feeds() %}
    select source, '{{ feed }}' as feed, _table as table_name, _file_id as file_id, count(*) as received
    from {{ ref('int_' ~ feed ~ '__received') }}
    group by source, _table, _file_id
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

fates as (
    {% for feed in all_feeds() %}
    select
        source,
        '{{ feed }}' as feed,
        _file_id as file_id,
        _table as table_name,
        count(*) filter (where _status = 'used') as used,
        count(*) filter (where _status = 'superseded') as superseded,
        count(*) filter (where _status = 'quarantined') as quarantined
    from {{ ref('int_' ~ feed) }}
    group by source, _table, _file_id
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    received.source,
    received.feed,
    received.table_name,
    received.file_id,
    files.load_id,
    files.file_name,
    files.delivery,
    received.received,
    coalesce(fates.used, 0) as used,
    coalesce(fates.superseded, 0) as superseded,
    coalesce(fates.quarantined, 0) as quarantined,
    received.received = coalesce(fates.used, 0) + coalesce(fates.superseded, 0) + coalesce(fates.quarantined, 0) as is_balanced,
    files.loaded_at
from received
inner join {{ source('raw_meta', 'files') }} as files on received.file_id = files.file_id
left join fates
    on
        received.source = fates.source
        and received.feed = fates.feed
        and received.table_name = fates.table_name
        and received.file_id = fates.file_id
