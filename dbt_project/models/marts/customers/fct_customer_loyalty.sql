-- What a customer says and what he does, at the end of each quarter. Every part is turned into 0 to 100 by its line in loyalty_parts, a side is the weighted mean of
-- the parts that are known. An answer counts until it is loyalty_attitude_days old; of several the newest.
{% set new_days = "cast(" ~ threshold('loyalty_new_days') ~ " as integer)" %}
{% set attitude_parts = ['recommend', 'repurchase', 'trust'] %}
{% set behaviour_parts = ['renewal', 'products', 'tenure', 'payments'] %}
with ends as (
    select distinct
        quarters.quarter_number,
        quarters.quarter_end
    from {{ ref('ftr_customer_quarters') }} as quarters
),

weights as (
    select
        {%- for side, parts in {'attitude': attitude_parts, 'behaviour': behaviour_parts}.items() %}
        {%- for part in parts %}
        max(p.weight) filter (where p.side = '{{ side }}' and p.part = '{{ part }}') as {{ part }}_weight,
        max(p.nothing_at) filter (where p.side = '{{ side }}' and p.part = '{{ part }}') as {{ part }}_nothing,
        max(p.full_at) filter (where p.side = '{{ side }}' and p.part = '{{ part }}') as {{ part }}_full,
        {%- endfor %}
        {%- endfor %}
        count(*) as lines
    from {{ ref('loyalty_parts') }} as p
),

items as (
    select
        i.survey,
        i.question_role,
        i.construct,
        i.attitude_part
    from {{ ref('loyalty_items') }} as i
    union all
    select
        '*' as survey,
        'csat' as question_role,
        cast(null as varchar) as construct,
        'satisfaction' as attitude_part
),

-- Several items of one part in one response are one answer: their mean.
said as (
    select
        answers.customer_key,
        items.attitude_part,
        answers.source,
        answers.response_id,
        answers.responded_at,
        answers.responded_on,
        avg(answers.score_100) as score
    from {{ ref('fct_survey_answers') }} as answers
    inner join items
        on
            answers.question_role = items.question_role
            and coalesce(answers.construct = items.construct, items.construct is null)
            and {{ fits_pattern('answers.survey_id', 'items.survey') }}
    where answers.is_valid and answers.score_100 is not null and answers.customer_key is not null
    group by answers.customer_key, items.attitude_part, answers.source, answers.response_id, answers.responded_at, answers.responded_on
),

newest as (
    select
        said.customer_key,
        ends.quarter_number,
        said.attitude_part,
        {{ last_value_of('said.score', sort_key(['said.responded_at', 'said.source', 'said.response_id'])) }} as score,
        max(said.responded_on) as said_on
    from said
    inner join ends
        on said.responded_on <= ends.quarter_end and ends.quarter_end - said.responded_on <= cast({{ threshold('loyalty_attitude_days') }} as integer)
    group by said.customer_key, ends.quarter_number, said.attitude_part
),

attitudes as (
    select
        newest.customer_key,
        newest.quarter_number,
        {%- for part in attitude_parts + ['satisfaction'] %}
        max(newest.score) filter (where newest.attitude_part = '{{ part }}') as {{ part }},
        {%- endfor %}
        max(newest.said_on) filter (where newest.attitude_part <> 'satisfaction') as said_on
    from newest
    group by newest.customer_key, newest.quarter_number
),

-- The rows are many and wide, and read twice: for the ladder, which needs little of them, and for the result. To make them twice costs less than to keep them.
measured as {{ not_kept() }} (
    select
        quarters.*,
        {%- for part in attitude_parts %}
        attitudes.{{ part }},
        {%- endfor %}
        attitudes.satisfaction,
        attitudes.said_on,
        quarters.terms_renewed / nullif(quarters.terms_over, 0) as renewal,
        quarters.product_lines / nullif(quarters.lines_offered, 0) as products,
        quarters.tenure_days / 30.4375 as tenure,
        quarters.charges_on_time / nullif(quarters.charges_due, 0) as payments
    from {{ ref('ftr_customer_quarters') }} as quarters
    left join attitudes on quarters.customer_key = attitudes.customer_key and quarters.quarter_number = attitudes.quarter_number
),

parts as {{ not_kept() }} (
    select
        measured.*,
        {%- for part in attitude_parts %}
        100 * least(1, greatest(0, (measured.{{ part }} - weights.{{ part }}_nothing) / (weights.{{ part }}_full - weights.{{ part }}_nothing)))
            as {{ part }}_score,
        case when measured.{{ part }} is not null then weights.{{ part }}_weight end as {{ part }}_weight,
        {%- endfor %}
        {%- for part in behaviour_parts %}
        case
            when measured.customer_state = 'customer' and measured.{{ part }} is not null
                then 100 * least(1, greatest(0, (measured.{{ part }} - weights.{{ part }}_nothing) / (weights.{{ part }}_full - weights.{{ part }}_nothing)))
        end as {{ part }}_score,
        case when measured.customer_state = 'customer' and measured.{{ part }} is not null then weights.{{ part }}_weight end as {{ part }}_weight{{ ',' if not loop.last }}
        {%- endfor %}
    from measured
    cross join weights
),

sides as {{ not_kept() }} (
    select
        parts.*,
        {%- for side, names in {'attitude': attitude_parts, 'behaviour': behaviour_parts}.items() %}
        {%- for part in names %}
        {{ '+ ' if not loop.first }}cast(coalesce(parts.{{ part }}_weight, 0) > 0 as integer)
        {%- endfor %} as {{ side }}_parts,
        (
            {%- for part in names %}
            {{ '+ ' if not loop.first }}coalesce(parts.{{ part }}_score * parts.{{ part }}_weight, 0)
            {%- endfor %}
        ) / nullif(
            {%- for part in names %}
            {{ '+ ' if not loop.first }}coalesce(parts.{{ part }}_weight, 0)
            {%- endfor %}, 0
        ) as {{ side }}_mean{{ ',' if not loop.last }}
        {%- endfor %}
    from parts
),

scored as {{ not_kept() }} (
    select
        sides.*,
        case when sides.attitude_parts >= {{ threshold('loyalty_attitude_parts') }} then round(sides.attitude_mean, 6) end as attitude,
        case when sides.behaviour_parts >= {{ threshold('loyalty_behaviour_parts') }} then round(sides.behaviour_mean, 6) end as behaviour
    from sides
),

cut as {{ not_kept() }} (
    select
        scored.*,
        scored.attitude >= {{ threshold('loyalty_attitude_cut') }} as is_attitude_high,
        scored.behaviour >= {{ threshold('loyalty_behaviour_cut') }} as is_behaviour_high
    from scored
),

placed as {{ not_kept() }} (
    select
        cut.*,
        case
            when cut.customer_state <> 'customer' then 'no_customer'
            when cut.is_attitude_high and cut.is_behaviour_high then 'true'
            when cut.is_attitude_high and not cut.is_behaviour_high then 'latent'
            when not cut.is_attitude_high and cut.is_behaviour_high then 'spurious'
            when not cut.is_attitude_high and not cut.is_behaviour_high then 'none'
            else 'unknown'
        end as loyalty_quadrant
    from cut
),

climbed as {{ not_kept() }} (
    select
        placed.*,
        case
            when placed.customer_state <> 'customer' then placed.customer_state
            when placed.loyalty_quadrant = 'true' then 'loyal'
            when placed.tenure_days >= {{ new_days }} then 'retained'
            when placed.satisfaction >= {{ threshold('loyalty_satisfied') }} or (placed.satisfaction is null and placed.is_attitude_high) then 'satisfied'
            else 'new'
        end as rung
    from placed
),

-- Only what the ladder needs is put in the order of time: the rows are many and wide.
before as (
    select
        climbed.customer_number,
        climbed.quarter_number,
        climbed.rung,
        climbed.customer_state <> 'potential' and climbed.began_on >= climbed.quarter_start as is_joining,
        lag(climbed.rung) over by_time as rung_of_row_before,
        lag(climbed.quarter_number) over by_time as quarter_of_row_before
    from climbed
    window by_time as (partition by climbed.customer_number order by climbed.quarter_number)
),

moved as (
    select
        before.*,
        case when before.quarter_of_row_before = before.quarter_number - 1 then before.rung_of_row_before end as rung_before,
        case
            when before.quarter_of_row_before = before.quarter_number - 1 then before.rung_of_row_before <> before.rung
            else before.is_joining
        end as is_change
    from before
),

-- A rung that the customer stood on when the quarters begin has no known beginning.
dated as (
    select
        moved.*,
        max(case when moved.is_change or moved.quarter_of_row_before <> moved.quarter_number - 1 then moved.quarter_number end) over so_far as changed_quarter,
        max(case when moved.is_change then moved.quarter_number end) over so_far as rung_quarter
    from moved
    window so_far as (partition by moved.customer_number order by moved.quarter_number rows between unbounded preceding and current row)
),

stood as (
    select
        dated.*,
        case when dated.rung_quarter = dated.changed_quarter then dated.quarter_number - dated.rung_quarter + 1 end as quarters_on_rung
    from dated
),

ladder as (
    select
        stood.customer_number,
        stood.quarter_number,
        stood.rung_before,
        stood.quarters_on_rung,
        case when stood.rung_before <> stood.rung then lag(stood.quarters_on_rung) over by_time end as quarters_on_rung_before
    from stood
    window by_time as (partition by stood.customer_number order by stood.quarter_number)
),

newest_quarter as (
    select max(ends.quarter_number) as quarter_number from ends
)

select
    climbed.customer_key,
    climbed.quarter_number,
    climbed.quarter_end,
    climbed.is_complete,
    climbed.quarter_number = newest_quarter.quarter_number as is_current,
    climbed.org_unit_id,
    climbed.customer_kind,
    climbed.stay_band,
    climbed.customer_state,
    climbed.loyalty_quadrant,
    climbed.rung,
    coalesce(ladder.rung_before, 'unknown') as rung_before,
    cast(ladder.quarters_on_rung as integer) as quarters_on_rung,
    cast(ladder.quarters_on_rung_before as integer) as quarters_on_rung_before,
    climbed.attitude,
    climbed.behaviour,
    climbed.attitude_parts,
    climbed.behaviour_parts,
    climbed.recommend,
    climbed.repurchase,
    climbed.trust,
    climbed.satisfaction,
    round(climbed.renewal_score, 6) as renewal_score,
    round(climbed.products_score, 6) as products_score,
    round(climbed.tenure_score, 6) as tenure_score,
    round(climbed.payments_score, 6) as payments_score,
    climbed.is_attitude_high,
    climbed.is_behaviour_high,
    climbed.tenure_days,
    climbed.contracts,
    climbed.product_lines,
    climbed.monthly_fee,
    case
        when climbed.loyalty_quadrant <> 'spurious' then 'not_held'
        when climbed.held_until is not null and climbed.product_lines > 1 then 'contract_and_products'
        when climbed.held_until is not null then 'contract'
        when climbed.product_lines > 1 then 'products'
        else 'habit'
    end as held_by,
    climbed.held_until,
    cast(climbed.held_until - climbed.quarter_end as integer) as days_until_released,
    climbed.said_on,
    climbed.began_on,
    climbed.left_on
from climbed
inner join ladder on climbed.customer_number = ladder.customer_number and climbed.quarter_number = ladder.quarter_number
cross join newest_quarter
