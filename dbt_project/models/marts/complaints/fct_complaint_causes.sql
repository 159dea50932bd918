{%- set causes = cause_taxonomy() %}

-- One cause by the best evidence there is: the agent who closed the case, then the systems, then the rules, then the classifier where it is sure enough.
with evidence as (
    select * from {{ ref('ftr_complaint_evidence') }}
),

answers as (
    select * from {{ ref('score_complaint_causes') }}
),

judged as (
    select
        evidence.*,
        answers.probability,
        answers.model_version,
        answers.root_cause as likely_cause,
        case
            when evidence.code_cause is not null then 'code'
            when evidence.fact_cause is not null then 'fact'
            when evidence.rule_cause is not null then 'rule'
            when answers.probability >= {{ threshold('cause_answer') }} then 'text'
            else 'unknown'
        end as cause_basis
    from evidence
    left join answers on evidence.complaint_id = answers.complaint_id
),

caused as (
    select
        *,
        case cause_basis when 'code' then code_cause when 'fact' then fact_cause when 'rule' then rule_cause when 'text' then likely_cause end as cause
    from judged
)

select
    caused.complaint_id,
    caused.source,
    caused.customer_key,
    caused.org_unit_id,
    caused.customer_kind,
    caused.channel,
    caused.product_line,
    caused.topic as symptom,
    coalesce(caused.cause, 'unknown') as root_cause,
    coalesce(taxonomy.parent, taxonomy.code, 'unknown') as cause_group,
    coalesce(taxonomy.owner, 'unknown') as owner,
    coalesce(taxonomy.cause_type, 'unknown') as cause_type,
    taxonomy.is_people as is_people_cause,
    caused.cause_basis,
    case when caused.cause_basis = 'fact' then caused.fact end as fact,
    case when caused.cause_basis in ('text', 'unknown') then caused.probability end as probability,
    case when caused.cause_basis = 'unknown' then caused.likely_cause end as likely_cause,
    case when caused.cause_basis in ('text', 'unknown') then caused.model_version end as model_version,
    caused.text_language,
    caused.is_coded and caused.code_cause is null as is_code_unlisted,
    caused.opened_at,
    caused.opened_on,
    caused.as_of
from caused
left join {{ ref('cause_taxonomy') }} as taxonomy on caused.cause = taxonomy.code
