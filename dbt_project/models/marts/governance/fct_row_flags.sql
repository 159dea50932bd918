-- Rows that are used although something about them is doubtful, counted by what.
with flagged as (
    {% for feed in all_feeds() %}
    select source, '{{ feed }}' as feed, unnest(_flags) as flag
    from {{ ref('int_' ~ feed) }}
    where _status = 'used' and len(_flags) > 0
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select source, feed, flag, count(*) as row_count
from flagged
group by source, feed, flag
