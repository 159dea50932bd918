-- A seed that names what no other seed has is a slip of the pen: its line would have no effect, and nobody would see it.
select
    'schedule_assignments' as seed,
    a.schedule_id as named
from {{ ref('schedule_assignments') }} as a
where a.schedule_id not in (select s.schedule_id from {{ ref('schedules') }} as s) or a.assigned_to not in ('org_unit', 'group') or a.valid_to < a.valid_from
union all
select
    'schedules' as seed,
    s.calendar_id as named
from {{ ref('schedules') }} as s
where s.calendar_id is not null and s.calendar_id not in (select h.calendar_id from {{ ref('holidays') }} as h)
union all
select
    'schedules' as seed,
    concat(s.schedule_id, ' weekday ', s.weekday) as named
from {{ ref('schedules') }} as s
where s.weekday not between 1 and 7 or s.valid_to < s.valid_from
union all
select
    'sla_policies' as seed,
    concat(p.precedence, ' ', p.policy) as named
from {{ ref('sla_policies') }} as p
where
    p.sla_metric not in ('first_reply', 'next_reply', 'first_resolution', 'resolution')
    or p.clock not in ('calendar', 'business')
    or p.target_minutes <= 0
    or p.valid_to < p.valid_from
union all
select
    'message_promises' as seed,
    concat(p.precedence, ' ', p.policy) as named
from {{ ref('message_promises') }} as p
where
    p.clock not in ('calendar', 'business')
    or p.target_seconds <= 0
    or p.valid_to < p.valid_from
    or p.policy is null
    or p.precedence is null
    or p.precedence in (
        select o.precedence
        from {{ ref('message_promises') }} as o
        group by o.precedence
        having count(*) > 1
    )
union all
select
    'touch_points' as seed,
    concat(t.precedence, ' ', t.touch_point) as named
from {{ ref('touch_points') }} as t
where
    coalesce(t.contact_kind, 'call') not in ('call', 'message', 'ticket')
    or t.touch_point is null
    or concat('touch_point ', t.touch_point) not in (select concat(v.dimension, ' ', v.value) from {{ ref('value_labels') }} as v)
    or t.precedence is null
    or t.precedence in (
        select o.precedence
        from {{ ref('touch_points') }} as o
        group by o.precedence
        having count(*) > 1
    )
union all
select
    'satisfaction_factors' as seed,
    f.factor as named
from {{ ref('satisfaction_factors') }} as f
where concat('factor ', f.factor) not in (select concat(v.dimension, ' ', v.value) from {{ ref('value_labels') }} as v)
union all
select
    'satisfaction_bands' as seed,
    concat(b.fact, ' ', b.band) as named
from {{ ref('satisfaction_bands') }} as b
where
    b.at_least is null
    or concat('fact ', b.fact) not in (select concat(v.dimension, ' ', v.value) from {{ ref('value_labels') }} as v)
    or concat('band ', b.band) not in (select concat(v.dimension, ' ', v.value) from {{ ref('value_labels') }} as v)
union all
select
    'comment_topics' as seed,
    c.topic as named
from {{ ref('comment_topics') }} as c
where
    c.pattern is null
    or c.priority is null
    or c.topic = 'unknown'
    or concat('comment_topic ', c.topic) not in (select concat(v.dimension, ' ', v.value) from {{ ref('value_labels') }} as v)
