-- Customers of a test day in ten parts from the lowest to the highest probability; the parts add up by unit and kind.
with parts as (
    select
        scores.*,
        ntile(10) over (partition by scores.as_of order by scores.probability, scores.customer_key) as probability_part
    from {{ ref('score_risk_backtest') }} as scores
)

select
    parts.as_of as tested_on,
    cast(parts.probability_part as integer) as probability_part,
    coalesce(parts.org_unit_id, 'unknown') as org_unit_id,
    parts.customer_kind,
    parts.product_line,
    cast(count(*) as integer) as customers,
    cast(count(*) filter (where parts.has_left) as integer) as departures,
    round(sum(parts.probability), 9) as departures_expected,
    round(sum(power(parts.probability - cast(parts.has_left as integer), 2)), 9) as squared_error,
    max(parts.model_version) as model_version
from parts
group by parts.as_of, parts.probability_part, coalesce(parts.org_unit_id, 'unknown'), parts.customer_kind, parts.product_line
