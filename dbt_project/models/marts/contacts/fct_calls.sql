{{ config(materialized='view') }}

with service_level_targets as (
    select * from {{ service_level_targets_of(ref('int_call_facts')) }} as held
),

enriched as (
    select
        facts.*,
        service_level_targets.target_seconds,
        service_level_targets.short_abandon_seconds,
        coalesce(links.customer_key, owners.customer_key) as customer_key,
        customers.customer_kind,
        units.time_zone,
        facts.customer_id is not null and links.customer_key is null as is_orphan_customer,
        facts.org_unit_id is not null and units.org_unit_id is null as is_orphan_unit,
        facts.exclusion_kind is null and facts.direction = 'inbound' as is_in_base
    from {{ ref('int_call_facts') }} as facts
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    left join {{ ref('int_phone_owners') }} as owners
        on facts.caller_phone = owners.phone and cast(facts.started_at as date) between owners.valid_from and owners.valid_to
    left join {{ ref('dim_customers') }} as customers on coalesce(links.customer_key, owners.customer_key) = customers.customer_key
    left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
    {{ join_service_level_targets('facts', 'started_at') }}
),

judged as (
    select
        *,
        is_in_base and coalesce(disposition in ('answered', 'abandoned', 'flow_out'), false) as is_offered,
        is_in_base and coalesce(disposition = 'answered', false) as is_answered,
        is_in_base and coalesce(disposition = 'abandoned', false) as is_abandoned
    from enriched
)

select
    source,
    call_id,
    customer_id,
    customer_key,
    ticket_id,
    operational_event_id,
    agent_id,
    org_unit_id,
    {{ or_unknown('customer_kind') }} as customer_kind,
    {{ customer_tier('customer_key') }} as customer_tier,
    'phone' as channel,
    touch_point,
    {{ or_unknown('product_line') }} as product_line,
    direction,
    {{ or_unknown('queue') }} as queue,
    ivr_path,
    {{ or_unknown('call_type') }} as call_type,
    {{ or_unknown('disposition') }} as disposition,
    {{ or_unknown('ended_by') }} as ended_by,
    exclusion_kind,
    is_in_base,
    is_offered,
    is_answered,
    is_abandoned,
    is_in_base and coalesce(disposition = 'flow_out', false) as is_flow_out,
    is_in_base and coalesce(disposition = 'abandoned_in_ivr', false) as is_abandoned_in_ivr,
    is_in_base and coalesce(disposition = 'contained', false) as is_contained,
    is_answered and coalesce(wait_seconds <= target_seconds, false) as is_answered_within_target,
    is_abandoned and coalesce(wait_seconds <= target_seconds, false) as is_abandoned_within_target,
    is_abandoned and coalesce(wait_seconds <= short_abandon_seconds, false) as is_short_abandon,
    is_marked_solved,
    is_orphan_customer,
    is_orphan_unit,
    is_flagged,
    target_seconds,
    short_abandon_seconds,
    cast(announced_wait_seconds as integer) as announced_wait_seconds,
    cast(case when wait_seconds >= 0 then wait_seconds end as integer) as wait_seconds,
    {{ wait_bucket('case when wait_seconds >= 0 then wait_seconds end') }} as wait_bucket,
    cast(ivr_seconds as integer) as ivr_seconds,
    cast(case when talk_seconds >= 0 then talk_seconds end as integer) as talk_seconds,
    cast(hold_seconds as integer) as hold_seconds,
    cast(wrap_up_seconds as integer) as wrap_up_seconds,
    cast(case when is_answered and talk_seconds >= 0 then talk_seconds + coalesce(hold_seconds, 0) + coalesce(wrap_up_seconds, 0) end as integer) as handle_seconds,
    cast(rings_without_answer as integer) as rings_without_answer,
    cast(queue_entries as integer) as queue_entries,
    cast(transfers as integer) as transfers,
    started_at,
    queued_at,
    answered_at,
    ended_at,
    {{ local_day('started_at', 'time_zone') }} as started_on
from judged
{{ join_customer_tier('judged.customer_key', local_day('judged.started_at', 'judged.time_zone')) }}
