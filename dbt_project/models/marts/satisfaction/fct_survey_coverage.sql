-- The whole grid of a month in which the survey sent anything: every province, and each pair of channel and product that the survey ever
-- used, so that a cell without invitations is seen too.
with invitations as (
    select
        source,
        survey_id,
        cast(date_trunc('month', sent_on) as date) as sent_month,
        nullif(province, 'unknown') as org_unit_id,
        channel,
        product_line,
        is_delivered,
        is_answered
    from {{ ref('ftr_survey_invitations') }}
    where sent_on is not null
),

months as (
    select distinct source, survey_id, sent_month from invitations
),

provinces as (
    select source, survey_id, org_unit_id from invitations
    union
    select surveys.source, surveys.survey_id, units.org_unit_id
    from (select distinct source, survey_id from invitations) as surveys
    cross join {{ ref('dim_org_units') }} as units
    where units.unit_level = 'province'
),

pairs as (
    select distinct source, survey_id, channel, product_line from invitations
),

counted as (
    select
        source,
        survey_id,
        sent_month,
        org_unit_id,
        channel,
        product_line,
        count(*) as invited,
        count(*) filter (where is_delivered) as delivered,
        count(*) filter (where is_answered) as answered
    from invitations
    group by source, survey_id, sent_month, org_unit_id, channel, product_line
),

grid as (
    select
        months.source,
        months.survey_id,
        months.sent_month,
        provinces.org_unit_id,
        pairs.channel,
        pairs.product_line,
        coalesce(counted.invited, 0) as invited,
        coalesce(counted.delivered, 0) as delivered,
        coalesce(counted.answered, 0) as answered
    from months
    inner join provinces on months.source = provinces.source and months.survey_id = provinces.survey_id
    inner join pairs on months.source = pairs.source and months.survey_id = pairs.survey_id
    left join counted
        on
            months.source = counted.source
            and months.survey_id = counted.survey_id
            and months.sent_month = counted.sent_month
            and provinces.org_unit_id is not distinct from counted.org_unit_id
            and pairs.channel = counted.channel
            and pairs.product_line = counted.product_line
    -- A cell of no province is there only if something was sent in it.
    where provinces.org_unit_id is not null or counted.invited is not null
),

cells as (
    select distinct survey_id, org_unit_id, channel, product_line from grid
),

quotas as (
    select
        cells.survey_id,
        cells.org_unit_id,
        cells.channel,
        cells.product_line,
        quotas.answers_wanted
    from cells
    inner join {{ ref('survey_quotas') }} as quotas
        on
            {{ fits_pattern('cells.survey_id', 'quotas.survey_id') }}
            and {{ fits_pattern("coalesce(cells.org_unit_id, 'unknown')", 'quotas.province') }}
            and {{ fits_pattern('cells.channel', 'quotas.channel') }}
            and {{ fits_pattern('cells.product_line', 'quotas.product_line') }}
    qualify
        row_number() over (
            partition by cells.survey_id, cells.org_unit_id, cells.channel, cells.product_line
            order by
                {{ pattern_closeness('quotas.survey_id') }} desc, {{ pattern_closeness('quotas.province') }} desc,
                {{ pattern_closeness('quotas.channel') }} desc, {{ pattern_closeness('quotas.product_line') }} desc,
                quotas.answers_wanted desc
        ) = 1
)

select
    grid.source,
    grid.survey_id,
    grid.org_unit_id,
    coalesce(grid.org_unit_id, '-') as org_unit_or_none,
    grid.channel,
    grid.product_line,
    cast(grid.invited as bigint) as invited,
    cast(grid.delivered as bigint) as delivered,
    cast(grid.answered as bigint) as answered,
    grid.answered / cast(nullif(grid.delivered, 0) as double) as response_rate,
    cast(quotas.answers_wanted as bigint) as answers_wanted,
    cast(greatest(quotas.answers_wanted - grid.answered, 0) as bigint) as answers_missing,
    grid.answered >= quotas.answers_wanted as is_quota_reached,
    grid.sent_month
from grid
left join quotas
    on
        grid.survey_id = quotas.survey_id
        and grid.org_unit_id is not distinct from quotas.org_unit_id
        and grid.channel = quotas.channel
        and grid.product_line = quotas.product_line
