with days as (
    select cast(unnest(generate_series(date '1990-01-01', date '2040-12-31', interval '1 day')) as date) as day
)

select
    days.day,
    cast(isodow(days.day) as integer) as weekday,
    cast(date_trunc('week', days.day) as date) as week_start,
    cast(date_trunc('month', days.day) as date) as month_start,
    cast(date_trunc('quarter', days.day) as date) as quarter_start,
    cast(date_trunc('year', days.day) as date) as year_start,
    holidays.name_en as holiday_name_en,
    holidays.name_zh as holiday_name_zh,
    coalesce(holidays.is_working_day, isodow(days.day) <= 5) as is_working_day
from days
left join {{ ref('holidays') }} as holidays on days.day = holidays.day and holidays.calendar_id = 'cn_office'
