-- Which complaints and units an action is about. The topics and causes that its scope names say it; where it names none, its root cause and those below it do.
-- Units are those that the scope names, or the unit of the action, with all below them.
with actions as (
    select
        *,
        replace(replace(replace(coalesce(scope, ''), ':', ';'), ',', ';'), ' ', ';') as scope_list
    from {{ ref('int_improvement_actions') }}
    where _status = 'used'
),

ends as (
    select max({{ local_day('complaints.known_until', 'units.time_zone') }}) as as_of
    from {{ ref('fct_complaints') }} as complaints
    left join {{ ref('dim_org_units') }} as units on complaints.org_unit_id = units.org_unit_id
),

found as (
    select distinct
        {{ root_cause_or_topic('causes') }} as cause,
        causes.symptom as topic
    from {{ ref('fct_complaint_causes') }} as causes
),

subjects as (
    select cause as subject
    from found
    where cause <> 'unknown'
    union
    select topic as subject
    from found
    where topic <> 'unknown'
),

by_root as (
    select
        actions.source,
        actions.improvement_action_id,
        found.cause as subject
    from actions
    inner join found on lower(found.cause) = lower(actions.root_cause) or starts_with(lower(found.cause), concat(lower(actions.root_cause), '.'))
),

by_scope as (
    select
        actions.source,
        actions.improvement_action_id,
        subjects.subject
    from actions
    inner join subjects on {{ is_listed('subjects.subject', 'actions.scope_list') }}
),

causes as (
    select
        actions.source,
        actions.improvement_action_id,
        string_agg(distinct by_root.subject, ';' order by by_root.subject) as roots,
        string_agg(distinct by_scope.subject, ';' order by by_scope.subject) as scopes
    from actions
    left join by_root on actions.source = by_root.source and actions.improvement_action_id = by_root.improvement_action_id
    left join by_scope on actions.source = by_scope.source and actions.improvement_action_id = by_scope.improvement_action_id
    group by actions.source, actions.improvement_action_id
),

tops as (
    select
        actions.source,
        actions.improvement_action_id,
        units.org_unit_id,
        true as is_named
    from actions
    inner join {{ ref('dim_org_units') }} as units on {{ is_listed('units.org_unit_id', 'actions.scope_list') }}
    union all
    select
        source,
        improvement_action_id,
        org_unit_id,
        false as is_named
    from actions
    where org_unit_id is not null
),

chosen as (
    select *
    from tops
    qualify is_named or not bool_or(is_named) over (partition by source, improvement_action_id)
),

units as (
    select
        chosen.source,
        chosen.improvement_action_id,
        string_agg(distinct below.org_unit_id, ';' order by below.org_unit_id) as units
    from chosen
    inner join {{ ref('dim_org_units') }} as below on contains(below.path, concat('/', chosen.org_unit_id, '/')) or chosen.org_unit_id = below.org_unit_id
    group by chosen.source, chosen.improvement_action_id
)

select
    actions.source,
    actions.improvement_action_id,
    actions.action_status,
    actions.started_on,
    actions.done_on,
    ends.as_of,
    coalesce(causes.scopes, causes.roots) as causes,
    case when causes.scopes is not null then 'scope' when causes.roots is not null then 'root_cause' else 'none' end as cause_basis,
    units.units
from actions
cross join ends
inner join causes on actions.source = causes.source and actions.improvement_action_id = causes.improvement_action_id
left join units on actions.source = units.source and actions.improvement_action_id = units.improvement_action_id
