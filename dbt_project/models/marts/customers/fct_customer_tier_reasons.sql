{{ config(materialized='view') }}


select
    tiers.customer_key,
    tiers.scheme,
    tiers.grade,
    tiers.valid_from,
    tiers.tier_reason,
    {{ tier_words('reasons.words_en') }} as words_en,
    {{ tier_words('reasons.words_zh') }} as words_zh
from {{ ref('fct_customer_tiers') }} as tiers
inner join {{ ref('tier_reasons') }} as reasons on tiers.tier_reason = reasons.tier_reason
left join {{ ref('value_labels') }} as grades on grades.dimension = 'grade' and tiers.grade = grades.value
left join {{ ref('value_labels') }} as previous on previous.dimension = 'grade' and tiers.previous_grade = previous.value
