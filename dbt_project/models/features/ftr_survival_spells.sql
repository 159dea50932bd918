-- Lives of customers (product line `all`) and of their product lines, as far as they are observed: from the age at which they came under observation (late entry) to the
-- age at which they left or the data end (right censoring), counted where all else is equal. A life is cut on the day of the first complaint: the days before it are days
-- without a complaint. Who has complained is otherwise known only of those who stayed long enough to do it. The tier cuts it in the same way, by its dated history.
with stretches as (
    select
        lines.product_line,
        lines.customer_key,
        lines.customer_kind,
        lines.org_unit_id,
        lines.began_on,
        lines.left_on,
        lines.known_until,
        lines.observed_from
    from {{ ref('ftr_line_stretches') }} as lines
    union all
    select
        'all' as product_line,
        max(lines.customer_key) as customer_key,
        min(lines.customer_kind) as customer_kind,
        min(lines.org_unit_id) as org_unit_id,
        lines.holder_began_on as began_on,
        max(lines.left_on) as left_on,
        max(lines.known_until) as known_until,
        min(lines.observed_from) as observed_from
    from {{ ref('ftr_line_stretches') }} as lines
    group by lines.holder_key, lines.holder_began_on
),

complaints as (
    select
        links.customer_key,
        min({{ local_day('facts.created_at', 'units.time_zone') }}) as complained_on
    from {{ ref('int_ticket_facts') }} as facts
    inner join {{ ref('dim_customer_links') }} as links
        on coalesce(facts.customer_source, facts.source) = links.source and facts.customer_id = links.customer_id
    left join {{ ref('dim_org_units') }} as units on facts.org_unit_id = units.org_unit_id
    where facts.ticket_kind = 'complaint' and facts.is_in_base
    group by links.customer_key
),

grades as (
    select
        tiers.customer_key,
        tiers.grade as customer_tier,
        tiers.valid_from,
        coalesce(tiers.valid_to, date '9999-12-31') as valid_to
    from {{ ref('fct_customer_tiers') }} as tiers
    where tiers.is_default_scheme
    union all
    select
        tiers.customer_key,
        'not_rated' as customer_tier,
        date '0001-01-01' as valid_from,
        min(tiers.valid_from) as valid_to
    from {{ ref('fct_customer_tiers') }} as tiers
    where tiers.is_default_scheme
    group by tiers.customer_key
),

aged as (
    select
        stretches.product_line,
        stretches.customer_key,
        stretches.began_on,
        stretches.customer_kind,
        coalesce(units.province_id, stretches.org_unit_id) as province_id,
        greatest(stretches.observed_from - stretches.began_on, 0) as entry_days,
        least(stretches.left_on, stretches.known_until) - stretches.began_on + 1 as exit_days,
        stretches.left_on <= stretches.known_until as is_left,
        case when complaints.complained_on is not null then greatest(complaints.complained_on - stretches.began_on, 0) end as complaint_days
    from stretches
    left join complaints on stretches.customer_key = complaints.customer_key
    left join {{ ref('dim_org_units') }} as units on stretches.org_unit_id = units.org_unit_id
),

cut as (
    select
        aged.product_line,
        aged.customer_key,
        aged.began_on,
        aged.customer_kind,
        aged.province_id,
        'none' as complaint_history,
        aged.entry_days,
        coalesce(least(aged.exit_days, aged.complaint_days), aged.exit_days) as exit_days,
        aged.is_left and coalesce(aged.complaint_days >= aged.exit_days, true) as is_left
    from aged
    union all
    select
        aged.product_line,
        aged.customer_key,
        aged.began_on,
        aged.customer_kind,
        aged.province_id,
        'complained' as complaint_history,
        greatest(aged.entry_days, aged.complaint_days) as entry_days,
        aged.exit_days,
        aged.is_left
    from aged
    where aged.complaint_days < aged.exit_days
),

tiered as (
    select
        cut.product_line,
        cut.customer_kind,
        cut.province_id,
        cut.complaint_history,
        coalesce(grades.customer_tier, 'not_rated') as customer_tier,
        greatest(cut.entry_days, coalesce(grades.valid_from - cut.began_on, 0)) as entry_days,
        least(cut.exit_days, coalesce(grades.valid_to - cut.began_on, cut.exit_days)) as exit_days,
        cut.is_left and coalesce(grades.valid_to - cut.began_on >= cut.exit_days, true) as is_left
    from cut
    left join grades
        on
            cut.customer_key = grades.customer_key
            and cut.began_on + cast(cut.exit_days as integer) > grades.valid_from
            and cut.began_on + cast(cut.entry_days as integer) < grades.valid_to
)

select
    tiered.product_line,
    tiered.customer_kind,
    {{ or_unknown('tiered.province_id') }} as province,
    tiered.complaint_history,
    tiered.customer_tier,
    cast(tiered.entry_days as integer) as entry_days,
    cast(tiered.exit_days as integer) as exit_days,
    tiered.is_left,
    count(*) as spells
from tiered
where tiered.entry_days < tiered.exit_days
group by
    tiered.product_line, tiered.customer_kind, tiered.province_id, tiered.complaint_history, tiered.customer_tier, tiered.entry_days, tiered.exit_days, tiered.is_left
