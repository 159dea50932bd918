with subjects as (
    {{ touch_points_of_subjects(ref('int_survey_responses')) }}
)

select
    responses.source,
    responses.response_id,
    responses.invitation_id,
    responses.survey_id,
    responses.about_id,
    responses.customer_id,
    links.customer_key,
    responses.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    {{ customer_tier('links.customer_key') }} as customer_tier,
    {{ or_unknown('responses.survey_kind') }} as survey_kind,
    {{ or_unknown('responses.wave') }} as wave,
    {{ or_unknown('responses.about_kind') }} as about_kind,
    {{ or_unknown('responses.channel') }} as channel,
    {{ or_unknown('subjects.touch_point') }} as touch_point,
    {{ or_unknown('responses.product_line') }} as product_line,
    {{ or_unknown('responses.language') }} as language,
    responses.base_weight,
    weights.weight,
    weights.weight_state,
    weights.response_state = 'repeated' as is_repeated_response,
    weights.response_state = 'before_invitation' as is_before_invitation,
    weights.response_state = 'without_invitation' as is_without_invitation,
    responses.comment is not null as has_comment,
    responses.customer_id is not null and links.customer_key is null as is_orphan_customer,
    responses.responded_at,
    {{ local_day('responses.responded_at', 'units.time_zone') }} as responded_on
from {{ ref('int_survey_responses') }} as responses
left join {{ ref('dim_customer_links') }} as links
    on coalesce(responses.customer_source, responses.source) = links.source and responses.customer_id = links.customer_id
left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
left join {{ ref('dim_org_units') }} as units on responses.org_unit_id = units.org_unit_id
left join {{ ref('fct_survey_weights') }} as weights on responses.source = weights.source and responses.response_id = weights.response_id
left join subjects on responses.about_kind = subjects.about_kind and responses.about_id = subjects.about_id
{{ join_customer_tier('links.customer_key', local_day('responses.responded_at', 'units.time_zone')) }}
where responses._status = 'used'
