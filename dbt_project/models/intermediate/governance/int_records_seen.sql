{{ config(materialized='incremental', meta={'append_only': true}) }}

-- Records of each file that at least one feed has seen. A file is read whole in the run that loads it and never changes, so
-- only new files are counted.
{% set mark = watermark() %}
with seen as (
    {% for feed in all_feeds() %}
    select
        _file_id as file_id,
        _record_number as record_number
    from {{ ref('int_' ~ feed ~ '__received') }}
    {% if is_incremental() %}
    where _file_id > {{ mark }}
    {% endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    file_id,
    count(distinct record_number) as records_seen
from seen
group by file_id
