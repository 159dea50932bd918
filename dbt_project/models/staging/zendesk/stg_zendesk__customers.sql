{{ config(enabled='zendesk' in var('sources')) }}

-- Users and organisations of the help desk. Staff are users too: they are no customers, so their rows say "not in this feed".
with users as (
    select
        id as customer_id,
        case
            when concat(' ', tags, ' ') like '% household %' then 'household'
            when concat(' ', tags, ' ') like '% enterprise %' then 'enterprise'
            else 'person'
        end as customer_kind,
        name as customer_name,
        organization_id as parent_customer_id,
        case locale when 'zh-CN' then 'zh' when 'en-US' then 'en' else locale end as language,
        cast({{ iso_to_utc('created_at') }} as date) as customer_since,
        created_at as customer_since__raw,
        {{ version_column('updated_at') }},
        coalesce(id like '7%' or id = '-1', false) as _is_deleted,
        {{ load_facts('users') }}
    from {{ source('zendesk', 'users') }}
),

organizations as (
    select
        id as customer_id,
        'enterprise' as customer_kind,
        name as customer_name,
        null as parent_customer_id,
        null as language,
        cast({{ iso_to_utc('created_at') }} as date) as customer_since,
        created_at as customer_since__raw,
        {{ version_column('updated_at') }},
        false as _is_deleted,
        {{ load_facts('organizations') }}
    from {{ source('zendesk', 'organizations') }}
)

select * from users
union all
select * from organizations
