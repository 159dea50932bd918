-- "Now", as the tickets know it. The clock of the machine would make each run of the same data another result.
select
    source,
    max(happened_at) as known_until
from {{ ref('int_ticket_timeline') }}
group by source
