{{ config(materialized='view') }}

-- `is_answered`: a used response names the invitation.
with answered as (
    select distinct source, invitation_id
    from {{ ref('int_survey_responses') }}
    where _status = 'used' and invitation_id is not null
),

subjects as (
    {{ touch_points_of_subjects(ref('int_survey_invitations')) }}
)

select
    invitations.source,
    invitations.invitation_id,
    invitations.survey_id,
    invitations.about_id,
    invitations.customer_id,
    links.customer_key,
    invitations.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    {{ or_unknown('invitations.survey_kind') }} as survey_kind,
    {{ or_unknown('invitations.wave') }} as wave,
    {{ or_unknown('invitations.about_kind') }} as about_kind,
    {{ or_unknown('invitations.channel') }} as channel,
    {{ or_unknown('subjects.touch_point') }} as touch_point,
    {{ or_unknown('invitations.product_line') }} as product_line,
    invitations.delivered_at is not null as is_delivered,
    invitations.delivered_at is not null and answered.invitation_id is not null as is_answered,
    invitations.customer_id is not null and links.customer_key is null as is_orphan_customer,
    invitations.sent_at,
    invitations.delivered_at,
    {{ local_day('invitations.sent_at', 'units.time_zone') }} as sent_on
from {{ ref('int_survey_invitations') }} as invitations
left join answered on invitations.source = answered.source and invitations.invitation_id = answered.invitation_id
left join {{ ref('dim_customer_links') }} as links
    on coalesce(invitations.customer_source, invitations.source) = links.source and invitations.customer_id = links.customer_id
left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
left join {{ ref('dim_org_units') }} as units on invitations.org_unit_id = units.org_unit_id
left join subjects on invitations.about_kind = subjects.about_kind and invitations.about_id = subjects.about_id
where invitations._status = 'used'
