-- The roster plans stretches (work, break, training …); a shift is all of them with at most a short gap between.
with rostered as (
    select
        agent_id,
        started_at,
        ended_at
    from {{ ref('int_agent_states') }}
    where _status = 'used' and state_kind = 'rostered' and state <> 'offline' and ended_at is not null
),

marked as (
    select
        *,
        case
            when {{ seconds_between('max(ended_at) over (partition by agent_id order by started_at, ended_at rows between unbounded preceding and 1 preceding)', 'started_at') }}
                <= {{ threshold('shift_gap') }} then 0
            else 1
        end as begins_new
    from rostered
),

numbered as (
    select
        *,
        sum(begins_new) over (partition by agent_id order by started_at, ended_at rows unbounded preceding) as shift_number
    from marked
)

select
    agent_id,
    min(started_at) as started_at,
    max(ended_at) as ended_at
from numbered
group by agent_id, shift_number
