-- Who says that he will stay, and who did: each answer to whether the customer will stay, with what became of him. Only what the days of the data decide counts.
{% set gap = "cast(" ~ threshold('churn_gap_days') ~ " as integer)" %}
with items as (
    select * from {{ ref('loyalty_items') }}
    where attitude_part = 'repurchase'
),

said as (
    select
        answers.source,
        answers.response_id,
        any_value(answers.survey_id) as survey_id,
        any_value(answers.customer_key) as customer_key,
        any_value(answers.org_unit_id) as org_unit_id,
        any_value(answers.customer_kind) as customer_kind,
        any_value(answers.product_line) as product_line,
        any_value(answers.wave) as wave,
        round(avg(answers.score_100), 6) as stated_score,
        any_value(answers.responded_at) as responded_at,
        any_value(answers.responded_on) as responded_on
    from {{ ref('fct_survey_answers') }} as answers
    inner join items
        on
            answers.question_role = items.question_role
            and coalesce(answers.construct = items.construct, items.construct is null)
            and {{ fits_pattern('answers.survey_id', 'items.survey') }}
    where answers.is_valid and answers.score_100 is not null
    group by answers.source, answers.response_id
),

spells as (
    select
        spells.customer_key,
        spells.holder_began_on as began_on,
        max(spells.last_on) as left_on
    from {{ ref('ftr_contract_spells') }} as spells
    where spells.customer_key in (select said.customer_key from said)
    group by spells.customer_key, spells.holder_began_on
),

ends as (
    select max(all_spells.known_until) as known_until from {{ ref('ftr_contract_spells') }} as all_spells
),

joined as (
    select
        said.*,
        spells.began_on,
        spells.left_on,
        ends.known_until,
        spells.began_on is not null as is_customer
    from said
    cross join ends
    left join spells on said.customer_key = spells.customer_key and said.responded_on >= spells.began_on and said.responded_on <= spells.left_on
)

select
    joined.source,
    joined.response_id,
    joined.survey_id,
    joined.customer_key,
    joined.org_unit_id,
    joined.customer_kind,
    joined.product_line,
    joined.wave,
    joined.stated_score,
    cast(cast(round(joined.stated_score) as integer) as varchar) as stated_answer,
    case
        when joined.stated_score >= 100 * {{ threshold('stated_stay') }} then 'will_stay'
        when joined.stated_score <= 100 * {{ threshold('stated_leave') }} then 'will_leave'
        else 'undecided'
    end as stated_intention,
    joined.is_customer,
    {%- for days in [90, 180, 365] %}
    coalesce(joined.is_customer and joined.responded_on + {{ days }} + {{ gap }} + 1 <= joined.known_until, false) as is_final_{{ days }}d,
    case
        when joined.is_customer and joined.responded_on + {{ days }} + {{ gap }} + 1 <= joined.known_until then joined.left_on - joined.responded_on > {{ days }}
    end as is_stayed_{{ days }}d,
    {%- endfor %}
    case when joined.left_on < date '9999-12-31' then joined.left_on end as left_on,
    joined.responded_at,
    joined.responded_on
from joined
