{% set closeness = sort_key([
    's.agent_role = asked.agent_role', 'length(s.agent_role)', 's.org_unit_id = asked.org_unit_id', 'length(s.org_unit_id)', "coalesce(s.valid_from, date '1970-01-01')"
]) %}
-- Who handled nothing in a month (leave, training, other work) has no row in it, and is in no base.
with contacts as (
    select * from {{ ref('fct_reviewable_contacts') }}
),

sheets as (
    select * from {{ ref('fct_quality_sheets') }}
    where is_in_base
),

-- Each agent as described on the last day of the month; who is described later only, by the first description.
described as (
    select
        agent_id,
        org_unit_id,
        agent_role,
        case when row_number() over (partition by agent_id order by valid_from asc nulls first, source asc) = 1 then date '1900-01-01' else valid_from end as began_on
    from {{ ref('int_agents') }}
    where _status = 'used'
    qualify row_number() over (partition by agent_id, valid_from order by source) = 1
),

handled as (
    select
        agent_id,
        handled_month,
        max(handled_month + interval '1 month') as next_month,
        count(*) as contacts_handled
    from contacts
    where handled_on is not null
    group by agent_id, handled_month
),

reviewed as (
    select
        agent_id,
        counted_month,
        count(*) as reviews,
        count(distinct coalesce(concat(contact_kind, ':', nullif(contact_id, '')), concat('review:', source, ':', review_id))) as contacts_reviewed,
        count(distinct case when not is_of_another_agent then concat(contact_kind, ':', contact_id) end) as handled_reviewed,
        count(*) filter (where is_fatal) as fatal_errors
    from sheets
    group by agent_id, counted_month
),

agents as (
    select
        handled.*,
        {{ or_unknown('described.agent_role') }} as agent_role,
        described.org_unit_id,
        described.agent_id is null as is_orphan_agent
    from handled
    {{ join_latest('described', 'described', ['handled.agent_id = described.agent_id'], 'described.began_on', "handled.next_month - interval '1 day'") }}
),

asked as (
    select distinct
        agent_role,
        {{ or_unknown('org_unit_id') }} as org_unit_id,
        handled_month
    from agents
),

goals as (
    select
        asked.agent_role,
        asked.org_unit_id,
        asked.handled_month,
        {{ last_value_of('s.minimum', closeness) }} as minimum,
        {{ last_value_of('s.target', closeness) }} as target
    from asked
    inner join {{ ref('quality_coverage') }} as s
        on
            {{ fits_pattern('asked.agent_role', 's.agent_role') }}
            and {{ fits_pattern('asked.org_unit_id', 's.org_unit_id') }}
            and coalesce(s.valid_from, date '1970-01-01') <= asked.handled_month
    group by asked.agent_role, asked.org_unit_id, asked.handled_month
),

as_of as (
    select max(handled_on) as last_day from contacts
),

joined as (
    select
        agents.*,
        coalesce(reviewed.reviews, 0) as reviews,
        coalesce(reviewed.contacts_reviewed, 0) as contacts_reviewed,
        coalesce(reviewed.handled_reviewed, 0) as handled_reviewed,
        coalesce(reviewed.fatal_errors, 0) as fatal_errors,
        least(goals.minimum, agents.contacts_handled) as minimum,
        least(goals.target, agents.contacts_handled) as target,
        coalesce(goals.target > 0, false) as is_in_base,
        agents.next_month + to_days(cast({{ threshold('quality_settle_days') }} as integer) - 1) <= as_of.last_day as is_settled,
        as_of.last_day as as_of
    from agents
    cross join as_of
    left join goals
        on
            agents.agent_role = goals.agent_role
            and {{ or_unknown('agents.org_unit_id') }} = goals.org_unit_id
            and agents.handled_month = goals.handled_month
    left join reviewed on agents.agent_id = reviewed.agent_id and agents.handled_month = reviewed.counted_month
)

select
    joined.agent_id,
    joined.handled_month,
    joined.agent_role,
    joined.org_unit_id,
    {{ or_unknown('units.city_id') }} as city_id,
    {{ or_unknown('units.province_id') }} as province_id,
    cast(joined.contacts_handled as integer) as contacts_handled,
    cast(joined.contacts_reviewed as integer) as contacts_reviewed,
    cast(joined.handled_reviewed as integer) as handled_contacts_reviewed,
    cast(joined.reviews as integer) as reviews,
    cast(joined.fatal_errors as integer) as fatal_errors,
    cast(joined.minimum as integer) as minimum,
    cast(joined.target as integer) as target,
    joined.contacts_reviewed < joined.minimum as is_below_minimum,
    joined.contacts_reviewed >= joined.target as is_at_target,
    joined.is_in_base,
    joined.is_settled,
    joined.is_orphan_agent,
    cast(joined.as_of as date) as as_of
from joined
left join {{ ref('dim_org_units') }} as units on joined.org_unit_id = units.org_unit_id
