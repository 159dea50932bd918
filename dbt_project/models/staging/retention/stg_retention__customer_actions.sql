{{ config(enabled='retention' in var('sources')) }}

-- Offers, dunning steps, care messages and notices of outages. Dunning knows billing's party numbers, the other two the customer numbers of the CRM.
with offers as (
    select
        offer_id as action_id,
        lower(kind) as action_kind,
        campaign as campaign_id,
        customer_no as customer_id,
        'crm' as customer_source,
        account_no as account_id,
        unit_code as org_unit_id,
        {{ timestamp_column('offered_at', 'occurred_at', tz='Asia/Shanghai') }},
        {{ number_column('cost', 'cost_amount') }},
        {{ boolean_column('control', 'is_control') }},
        outcome as result,
        {{ timestamp_column('outcome_at', 'result_at', tz='Asia/Shanghai') }},
        {{ version_column('updated_at') }},
        {{ load_facts('offers') }}
    from {{ source('retention', 'offers') }}
),

dunning as (
    select
        step_id as action_id,
        'dunning' as action_kind,
        run as campaign_id,
        step,
        party_no as customer_id,
        'billing' as customer_source,
        account_no as account_id,
        unit_code as org_unit_id,
        {{ timestamp_column('done_at', 'occurred_at', tz='Asia/Shanghai') }},
        {{ number_column('cost', 'cost_amount') }},
        result,
        {{ timestamp_column('result_at', 'result_at', tz='Asia/Shanghai') }},
        {{ version_column('updated_at') }},
        {{ load_facts('dunning') }}
    from {{ source('retention', 'dunning') }}
),

care as (
    select
        care_id as action_id,
        case when occasion = 'outage_notice' then 'notice' else 'care' end as action_kind,
        occasion as campaign_id,
        event_no as operational_event_id,
        customer_no as customer_id,
        'crm' as customer_source,
        unit_code as org_unit_id,
        {{ timestamp_column('sent_at', 'occurred_at', tz='Asia/Shanghai') }},
        {{ number_column('cost', 'cost_amount') }},
        {{ boolean_column('control', 'is_control') }},
        result,
        {{ timestamp_column('result_at', 'result_at', tz='Asia/Shanghai') }},
        {{ load_facts('care') }}
    from {{ source('retention', 'care') }}
)

select * from offers
union all by name
select * from dunning
union all by name
select * from care
