-- "Now", as the tickets know it. The clock of the machine would make each run of the same data another result.
with horizons as (
    select
        source,
        max(happened_at) as known_until
    from {{ ref('int_ticket_timeline') }}
    group by source
)

select
    source,
    known_until,
    {{ seconds_between('known_until', 'max(known_until) over ()') }} <= {{ threshold('backlog_carry') }} as is_current
from horizons
