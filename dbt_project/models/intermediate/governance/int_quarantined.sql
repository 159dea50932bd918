-- One row per row of a feed that cannot be used: all feeds are looked through once, for what is said of such rows and for
-- where their content is.
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
