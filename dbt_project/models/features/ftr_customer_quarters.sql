-- The customers at the end of each quarter, and those who left in it: what they held, what holds them, and how they paid. The quarter that runs on the last day of
-- the data ends on that day. Every row says only what was known at its end. Customers are numbered in here: many rows meet, and numbers meet faster than keys.
{% set renewal_days = "cast(" ~ threshold('loyalty_renewal_days') ~ " as integer)" %}
with numbers as (
    select
        customers.customer_key,
        row_number() over (order by customers.customer_key) as customer_number
    from {{ ref('dim_customers') }} as customers
),

spells as (
    select
        numbers.customer_number,
        spells.product_line,
        spells.monthly_fee,
        spells.holder_began_on,
        spells.started_on,
        spells.last_on,
        spells.counted_until,
        spells.known_until,
        spells.observed_from,
        case when spells.contract_months > 0 then {{ months_after('spells.started_on', 'spells.contract_months') }} end as term_until,
        max(spells.last_on) over (partition by numbers.customer_number, spells.product_line, spells.line_began_on) as line_left_on
    from {{ ref('ftr_contract_spells') }} as spells
    inner join numbers on spells.customer_key = numbers.customer_key
),

ends as (
    select
        max(spells.known_until) as known_until,
        min(spells.observed_from) as observed_from
    from spells
),

begun as (
    select
        {{ each_quarter('ends.observed_from', 'ends.known_until') }} as quarter_start,
        ends.known_until
    from ends
),

quarters as (
    select
        {{ quarter_number('begun.quarter_start') }} as quarter_number,
        begun.quarter_start,
        least({{ months_after('begun.quarter_start', '3') }} - 1, begun.known_until) as quarter_end,
        {{ months_after('begun.quarter_start', '3') }} - 1 <= begun.known_until as is_complete
    from begun
    where {{ months_after('begun.quarter_start', '3 * cast(' ~ threshold('loyalty_quarters') ~ ' as integer)') }} + 1 >= {{ quarter_start_of('begun.known_until') }}
),

lines as (
    select
        lines.product_line,
        cast(power(2, row_number() over (order by lines.product_line) - 1) as bigint) as line_bit,
        count(*) over () as lines_offered
    from (select distinct spells.product_line from spells) as lines
),

stays as (
    select
        spells.customer_number,
        spells.holder_began_on as began_on,
        max(spells.last_on) as left_on
    from spells
    group by spells.customer_number, spells.holder_began_on
),

first_stays as (
    select
        stays.customer_number,
        min(stays.began_on) as first_began_on
    from stays
    group by stays.customer_number
),

-- Who left and came back within a quarter is there with his newer stay. Whose last day ended a quarter is a customer at its end and leaves in the next one.
staying as (
    select
        stays.customer_number,
        quarters.quarter_number,
        max(quarters.quarter_start) as quarter_start,
        max(quarters.quarter_end) as quarter_end,
        bool_and(quarters.is_complete) as is_complete,
        max(stays.began_on) as began_on,
        max(stays.left_on) as left_on
    from stays
    inner join quarters on stays.began_on <= quarters.quarter_end and stays.left_on >= quarters.quarter_start - 1
    group by stays.customer_number, quarters.quarter_number
),

contracts as (
    select
        staying.customer_number,
        staying.quarter_number,
        {{ count_of_bits('lines.line_bit', 'spells.counted_until >= staying.quarter_end') }} as product_lines,
        count(*) filter (where spells.counted_until >= staying.quarter_end) as contracts,
        sum(spells.monthly_fee) filter (where spells.counted_until >= staying.quarter_end) as monthly_fee,
        max(spells.term_until) filter (where spells.counted_until >= staying.quarter_end and spells.term_until > staying.quarter_end) as held_until,
        count(*) filter (where spells.term_until + {{ renewal_days }} <= staying.quarter_end) as terms_over,
        count(*) filter (
            where spells.term_until + {{ renewal_days }} <= staying.quarter_end and spells.line_left_on >= spells.term_until + {{ renewal_days }}
        ) as terms_renewed
    from staying
    inner join spells on staying.customer_number = spells.customer_number and staying.quarter_end >= spells.started_on
    inner join lines on spells.product_line = lines.product_line
    group by staying.customer_number, staying.quarter_number
),

owners as (
    select
        links.source,
        links.customer_id,
        numbers.customer_number
    from {{ ref('dim_customer_links') }} as links
    inner join numbers on links.customer_key = numbers.customer_key
),

-- A charge is judged on the day on which it is due.
due as (
    select
        owners.customer_number,
        {{ quarter_number('transactions.due_on') }} as quarter_number,
        count(*) as charges_due,
        count(*) filter (where transactions.paid_on <= transactions.due_on) as charges_on_time
    from {{ ref('int_transactions') }} as transactions
    inner join owners on coalesce(transactions.customer_source, transactions.source) = owners.source and transactions.customer_id = owners.customer_id
    cross join ends
    where transactions._status = 'used' and transactions.transaction_kind = 'charge' and transactions.amount > 0 and transactions.due_on <= ends.known_until
    group by all
),

paid_and_stayed as (
    select
        due.customer_number,
        due.quarter_number,
        due.charges_due,
        due.charges_on_time,
        false as is_there
    from due
    union all
    select
        staying.customer_number,
        staying.quarter_number,
        0 as charges_due,
        0 as charges_on_time,
        true as is_there
    from staying
),

by_quarter as (
    select
        paid_and_stayed.customer_number,
        paid_and_stayed.quarter_number,
        sum(paid_and_stayed.charges_due) as charges_due,
        sum(paid_and_stayed.charges_on_time) as charges_on_time,
        bool_or(paid_and_stayed.is_there) as is_there
    from paid_and_stayed
    group by paid_and_stayed.customer_number, paid_and_stayed.quarter_number
),

payments as (
    select
        by_quarter.customer_number,
        by_quarter.quarter_number,
        by_quarter.is_there,
        sum(by_quarter.charges_due) over four_quarters as charges_due,
        sum(by_quarter.charges_on_time) over four_quarters as charges_on_time
    from by_quarter
    window four_quarters as (
        partition by by_quarter.customer_number order by by_quarter.quarter_number
        range between 3 preceding and current row
    )
),

-- Known by a source, and never a contract until then.
potential as (
    select
        numbers.customer_number,
        quarters.quarter_number,
        quarters.quarter_start,
        quarters.quarter_end,
        quarters.is_complete
    from {{ ref('dim_customers') }} as customers
    inner join numbers on customers.customer_key = numbers.customer_key
    left join first_stays on numbers.customer_number = first_stays.customer_number
    inner join quarters on customers.customer_since <= quarters.quarter_end
    where not customers.is_gone and coalesce(first_stays.first_began_on > quarters.quarter_end, true)
),

together as (
    select
        staying.customer_number,
        staying.quarter_number,
        staying.quarter_start,
        staying.quarter_end,
        staying.is_complete,
        case when staying.left_on >= staying.quarter_end then 'customer' else 'left' end as customer_state,
        staying.began_on,
        case when staying.left_on < staying.quarter_end then staying.left_on end as left_on,
        case when staying.left_on >= staying.quarter_end then contracts.contracts end as contracts,
        case when staying.left_on >= staying.quarter_end then contracts.product_lines end as product_lines,
        contracts.monthly_fee,
        contracts.held_until,
        contracts.terms_over,
        contracts.terms_renewed,
        payments.charges_due,
        payments.charges_on_time
    from staying
    inner join contracts on staying.customer_number = contracts.customer_number and staying.quarter_number = contracts.quarter_number
    left join payments on staying.customer_number = payments.customer_number and staying.quarter_number = payments.quarter_number and payments.is_there
    union all by name
    select
        potential.*,
        'potential' as customer_state
    from potential
)

select
    numbers.customer_key,
    numbers.customer_number,
    cast(together.quarter_number as integer) as quarter_number,
    together.quarter_start,
    together.quarter_end,
    together.is_complete,
    together.customer_state,
    customers.customer_kind,
    customers.org_unit_id,
    together.began_on,
    together.left_on,
    cast(together.quarter_end - together.began_on + 1 as integer) as tenure_days,
    case
        when together.began_on is null then 'unknown'
        when together.quarter_end - together.began_on + 1 < 365 then 'under_1y'
        when together.quarter_end - together.began_on + 1 < 1096 then '1_to_3y'
        else '3y_and_more'
    end as stay_band,
    cast(together.contracts as integer) as contracts,
    cast(together.product_lines as integer) as product_lines,
    cast(lines.lines_offered as integer) as lines_offered,
    cast(together.monthly_fee as decimal(18, 2)) as monthly_fee,
    together.held_until,
    cast(together.terms_over as integer) as terms_over,
    cast(together.terms_renewed as integer) as terms_renewed,
    cast(together.charges_due as integer) as charges_due,
    cast(together.charges_on_time as integer) as charges_on_time
from together
inner join numbers on together.customer_number = numbers.customer_number
inner join {{ ref('dim_customers') }} as customers on numbers.customer_key = customers.customer_key
cross join (select max(lines.lines_offered) as lines_offered from lines) as lines
