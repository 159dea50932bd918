-- A line of the seeds of promises and hard issues that names what is not there would have no effect, and nobody would see it.
select
    'promise_words' as seed,
    concat_ws(' ', w.sense, w.value, w.pattern) as named
from {{ ref('promise_words') }} as w
where
    coalesce(trim(w.pattern), '') = ''
    or w.priority is null
    or not coalesce(
        (w.sense = 'act' and w.value in ('callback', 'visit', 'solve', 'answer'))
        or w.sense in ('will', 'never')
        or (w.sense in ('day', 'number') and {{ try_cast_to('w.value', 'integer') }} >= 0)
        or (w.sense = 'weekday' and {{ try_cast_to('w.value', 'integer') }} between 1 and 7)
        or (w.sense = 'period' and w.value in ('week', 'next_week', 'month'))
        or (w.sense = 'next' and w.value = 'week')
        or (w.sense = 'limit' and (w.value = 'close' or {{ matches_pattern('w.value', "'^([01][0-9]|2[0-3]):[0-5][0-9]$'") }}))
        or (w.sense = 'hour' and w.value in ('am', 'pm', 'any'))
        or (w.sense = 'within' and w.value in ('minute', 'hour', 'day', 'working_day', 'week'))
        or (w.sense = 'result' and w.value in ('kept', 'late', 'broken')),
        false
    )
union all
select
    'waiting_for' as seed,
    concat_ws(' ', m.dimension, m.value, m.waits_for) as named
from {{ ref('waiting_for') }} as m
where
    m.value is null
    or coalesce(m.waits_for, '') not in ('customer', 'maker', 'parts', 'partner', 'department', 'field')
    or not coalesce(
        m.dimension = 'department'
        or (m.dimension = 'visit' and m.value in ('running', 'missed', 'not_fixed', 'no_access', 'fixed', 'unknown'))
        or (m.dimension = 'status' and m.value in ('new', 'open', 'pending', 'hold')),
        false
    )
