-- Opening hours as instants, with the time open before each: the time open until any instant is one look-up, a span takes two.
with hours as (
    select
        schedule_id,
        weekday,
        time_zone,
        calendar_id,
        coalesce(valid_from, date '1900-01-01') as valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to,
        {{ minute_of_day('opens') }} as opens_minute,
        {{ minute_of_day('closes') }} as closes_minute
    from {{ ref('schedules') }}
),

days as (
    {{ days_between('1990-01-01', '2040-12-31') }}
),

opened as (
    select
        hours.schedule_id,
        hours.time_zone,
        {{ at_minute_of_day('days.day', 'hours.opens_minute') }} as local_opens,
        {{ at_minute_of_day('days.day', 'hours.closes_minute + case when hours.closes_minute <= hours.opens_minute then 1440 else 0 end') }} as local_closes
    from hours
    inner join days on hours.valid_from <= days.day and hours.valid_to >= days.day
    left join {{ ref('holidays') }} as holidays on hours.calendar_id = holidays.calendar_id and days.day = holidays.day
    where
        coalesce(holidays.is_working_day, true)
        and hours.weekday = case when holidays.is_working_day and isodow(days.day) > 5 then 1 else isodow(days.day) end
),

instants as (
    select
        schedule_id,
        {{ wall_clock_to_utc('local_opens', 'time_zone') }} as opens_at,
        {{ wall_clock_to_utc('local_closes', 'time_zone') }} as closes_at
    from opened
),

-- Hours that overlap or touch are one opening. What lies wholly within a skipped hour is none.
marked as (
    select
        *,
        case
            when opens_at <= max(closes_at) over (partition by schedule_id order by opens_at, closes_at rows between unbounded preceding and 1 preceding) then 0
            else 1
        end as begins_new
    from instants
    where closes_at > opens_at
),

numbered as (
    select
        *,
        sum(begins_new) over (partition by schedule_id order by opens_at, closes_at rows unbounded preceding) as opening_number
    from marked
),

merged as (
    select
        schedule_id,
        min(opens_at) as opens_at,
        max(closes_at) as closes_at
    from numbered
    group by schedule_id, opening_number
    union all
    -- Closed since the beginning of time: so every instant has a row, and a schedule without one is unknown.
    select distinct
        schedule_id,
        timestamp '1900-01-01 00:00:00' as opens_at,
        timestamp '1900-01-01 00:00:00' as closes_at
    from hours
)

select
    schedule_id,
    opens_at,
    closes_at,
    cast(coalesce(sum({{ epoch_micros('closes_at') }} - {{ epoch_micros('opens_at') }}) over (
        partition by schedule_id order by opens_at rows between unbounded preceding and 1 preceding
    ), 0) as bigint) as open_before_micros
from merged
