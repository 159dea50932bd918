-- Every row that cannot be used, with its reasons and where to find it. The original content of a damaged record stands in
-- raw; `content` shows its shape with every letter and digit replaced.
with quarantined as (
    {% for feed in all_feeds() %}
    select
        source,
        '{{ feed }}' as feed,
        _table as table_name,
        _file_id as file_id,
        _record_number as record_number,
        _sub_record as sub_record,
        {% set key = feed_key(feed) if execute else ['source'] %}
        concat_ws('|', {% for column in key %}cast({{ column }} as varchar){{ ', ' if not loop.last }}{% endfor %}) as row_key,
        {{ list_to_text('_reasons') }} as reasons,
        _delivery as delivery,
        _loaded_at as loaded_at
    from {{ ref('int_' ~ feed) }}
    where _status = 'quarantined'
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

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
    case
        when content.problem is not null then {{ masked('left(content.content, 500)') }}
        else {{ json_pairs('content.content', masked) }}
    end as content,
    quarantined.delivery,
    quarantined.loaded_at
from quarantined
inner join {{ source('raw_meta', 'files') }} as files on quarantined.file_id = files.file_id
left join {{ ref('int_quarantined_content') }} as content
    on quarantined.file_id = content.file_id and quarantined.record_number = content.record_number
