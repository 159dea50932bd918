-- A line of identity_overrides.csv that nobody could follow stops the build, with the line and what to do in its message. A line that names a customer whom
-- no source has sent (yet) is no such line: it waits, and a warning says so (identity_overrides_name_known_customers).
{% set message %}concat('identity_overrides.csv: the line "', wrong.line, '" ', wrong.trouble){% endset %}
with lines as (
    select
        o.decision,
        least(concat(o.source, ' ', o.customer_id), concat(o.other_source, ' ', o.other_customer_id)) as one,
        greatest(concat(o.source, ' ', o.customer_id), concat(o.other_source, ' ', o.other_customer_id)) as other,
        o.source is null or o.customer_id is null or o.other_source is null or o.other_customer_id is null as is_open,
        concat_ws(
            ',', coalesce(o.decision, ''), coalesce(o.source, ''), coalesce(o.customer_id, ''), coalesce(o.other_source, ''), coalesce(o.other_customer_id, '')
        ) as line
    from {{ ref('identity_overrides') }} as o
),

confirmed as (
    select
        one as near,
        other as far
    from lines
    where decision = 'confirm'
    union
    select
        other as near,
        one as far
    from lines
    where decision = 'confirm'
),

wrong as (
    select
        line,
        'has no decision that is known; write confirm or break.' as trouble
    from lines
    where coalesce(decision, '') not in ('confirm', 'break')
    union all
    select
        line,
        'names no two customers; write source and customer_id of both.' as trouble
    from lines
    where is_open or one = other
    union all
    select
        min(line) as line,
        'and another one say confirm and break of the same two customers; keep one.' as trouble
    from lines
    where not is_open
    group by one, other
    having count(distinct decision) > 1
    union all
    -- A chain of two confirmations that a break contradicts.
    select
        broken.line,
        concat('breaks what two other lines confirm through ', a.far, '; take one of the three out.') as trouble
    from lines as broken
    inner join confirmed as a on broken.one = a.near
    inner join confirmed as b on broken.other = b.near and a.far = b.far
    where broken.decision = 'break' and not broken.is_open
)

select
    wrong.line,
    wrong.trouble
from wrong
where {{ refused_with(message) }}
