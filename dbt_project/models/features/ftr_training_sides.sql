-- What an agent's reviews say of the time before and after a training, for those who had it and those who did not. The day is that of the contact.
with settings as (
    select
        cast({{ threshold('training_days') }} as integer) as days,
        cast({{ threshold('training_base') }} as integer) as base
),

trainings as (
    select
        source,
        improvement_action_id,
        org_unit_id,
        started_on,
        coalesce(done_on, started_on) as ended_on,
        replace(replace(replace(coalesce(scope, ''), ':', ';'), ',', ';'), ' ', ';') as scope_list
    from {{ ref('int_improvement_actions') }}
    where _status = 'used' and action_kind = 'training' and started_on is not null and coalesce(action_status, '') <> 'cancelled'
),

reviews as (
    select
        agent_id,
        item,
        org_unit_id,
        counted_on,
        reviewed_at,
        review_id,
        score_share
    from {{ ref('fct_quality_reviews') }}
    where is_in_base
    union all
    select
        agent_id,
        'all' as item,
        org_unit_id,
        counted_on,
        reviewed_at,
        review_id,
        score_share
    from {{ ref('fct_quality_sheets') }}
    where is_in_base
),

items as (
    select distinct item from reviews
),

-- An item that the scope names is what was trained; a scope that names none is about all of them.
named as (
    select
        trainings.source,
        trainings.improvement_action_id,
        items.item,
        {{ is_listed('items.item', 'trainings.scope_list') }} as is_named
    from trainings
    cross join items
),

targets as (
    select
        source,
        improvement_action_id,
        item,
        is_named or not bool_or(is_named) over (partition by source, improvement_action_id) as is_target_item
    from named
),

-- The unit of an agent when the training was held.
agents as (
    select
        trainings.source,
        trainings.improvement_action_id,
        reviews.agent_id,
        {{ last_value_of('reviews.org_unit_id', sort_key(['reviews.counted_on', 'reviews.reviewed_at', 'reviews.review_id'])) }} as org_unit_id
    from trainings
    inner join reviews on trainings.ended_on >= reviews.counted_on
    group by trainings.source, trainings.improvement_action_id, reviews.agent_id
),

-- Agents whom the scope names; if it names none, all of the unit and the units that the scope names, and of those below them.
named_agents as (
    select
        trainings.source,
        trainings.improvement_action_id,
        agents.agent_id,
        {{ is_listed('agents.agent_id', 'trainings.scope_list') }} as is_named,
        coalesce(contains(units.path, concat('/', trainings.org_unit_id, '/')), trainings.org_unit_id = agents.org_unit_id, false) as is_of_unit
    from trainings
    inner join agents on trainings.source = agents.source and trainings.improvement_action_id = agents.improvement_action_id
    left join {{ ref('dim_org_units') }} as units on agents.org_unit_id = units.org_unit_id
),

named_units as (
    select distinct
        trainings.source,
        trainings.improvement_action_id,
        agents.agent_id
    from trainings
    inner join {{ ref('dim_org_units') }} as above on {{ is_listed('above.org_unit_id', 'trainings.scope_list') }}
    inner join agents on trainings.source = agents.source and trainings.improvement_action_id = agents.improvement_action_id
    inner join {{ ref('dim_org_units') }} as units on agents.org_unit_id = units.org_unit_id and contains(units.path, concat('/', above.org_unit_id, '/'))
),

members as (
    select
        named_agents.source,
        named_agents.improvement_action_id,
        named_agents.agent_id,
        case
            when bool_or(named_agents.is_named) over (partition by named_agents.source, named_agents.improvement_action_id) then named_agents.is_named
            else named_agents.is_of_unit or named_units.agent_id is not null
        end as is_trained
    from named_agents
    left join named_units
        on
            named_agents.source = named_units.source
            and named_agents.improvement_action_id = named_units.improvement_action_id
            and named_agents.agent_id = named_units.agent_id
),

-- Who had another training of the item within the time compared says nothing about this one.
disturbed as (
    select distinct
        trainings.source,
        trainings.improvement_action_id,
        targets.item,
        members.agent_id
    from trainings
    cross join settings
    inner join trainings as others
        on
            (trainings.source <> others.source or trainings.improvement_action_id <> others.improvement_action_id)
            and others.started_on <= trainings.ended_on + settings.days
            and others.ended_on >= trainings.started_on - settings.days
    inner join members on others.source = members.source and others.improvement_action_id = members.improvement_action_id and members.is_trained
    inner join targets on others.source = targets.source and others.improvement_action_id = targets.improvement_action_id and targets.is_target_item
),

as_of as (
    select max(counted_on) as last_day from reviews
),

sides as (
    select
        trainings.source,
        trainings.improvement_action_id,
        reviews.item,
        reviews.agent_id,
        count(*) filter (where reviews.counted_on < trainings.started_on) as reviews_before,
        count(*) filter (where reviews.counted_on > trainings.ended_on) as reviews_after,
        -- A mean of fractions depends on the order of rows in its last digits.
        round(avg(reviews.score_share) filter (where reviews.counted_on < trainings.started_on), 9) as score_before,
        round(avg(reviews.score_share) filter (where reviews.counted_on > trainings.ended_on), 9) as score_after
    from trainings
    cross join settings
    inner join reviews
        on
            trainings.started_on - settings.days <= reviews.counted_on
            and trainings.ended_on + settings.days >= reviews.counted_on
            and (trainings.started_on > reviews.counted_on or trainings.ended_on < reviews.counted_on)
    group by trainings.source, trainings.improvement_action_id, reviews.item, reviews.agent_id
)

select
    sides.source,
    sides.improvement_action_id,
    sides.item,
    sides.agent_id,
    trainings.started_on,
    trainings.ended_on,
    targets.is_target_item,
    members.is_trained,
    disturbed.agent_id is not null as is_disturbed,
    sides.reviews_before >= settings.base and sides.reviews_after >= settings.base as is_enough,
    sides.reviews_before,
    sides.reviews_after,
    sides.score_before,
    sides.score_after,
    as_of.last_day >= trainings.ended_on + settings.days as is_final,
    as_of.last_day as as_of
from sides
cross join settings
cross join as_of
inner join trainings on sides.source = trainings.source and sides.improvement_action_id = trainings.improvement_action_id
inner join targets on sides.source = targets.source and sides.improvement_action_id = targets.improvement_action_id and sides.item = targets.item
inner join members on sides.source = members.source and sides.improvement_action_id = members.improvement_action_id and sides.agent_id = members.agent_id
left join disturbed
    on
        sides.source = disturbed.source
        and sides.improvement_action_id = disturbed.improvement_action_id
        and sides.item = disturbed.item
        and sides.agent_id = disturbed.agent_id
