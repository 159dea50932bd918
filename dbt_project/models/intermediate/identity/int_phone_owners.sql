-- Who calls from a number. A contact person who gave the number of the enterprise does not take it away from the enterprise. A number that was given
-- to somebody else has an owner in each stretch of days in which one customer alone holds it; who names no days holds it always.
with holdings as (
    select
        identifiers.identifier_key as phone,
        links.customer_key,
        identifiers.node,
        coalesce(identifiers.valid_from, date '1900-01-01') as valid_from,
        coalesce(identifiers.valid_to, date '9999-12-31') as valid_to,
        identifiers.valid_from is not null or identifiers.valid_to is not null as is_dated,
        coalesce(records.class = 'E', false) as is_enterprise
    from {{ identity_state('identifiers') }} as identifiers
    inner join {{ identity_state('links') }} as links on identifiers.node = links.node
    left join {{ identity_state('records') }} as records on identifiers.node = records.node
    where identifiers.identifier_kind = 'phone' and identifiers.identifier_key is not null
),

numbers as (
    select
        phone,
        min(customer_key) as customer_key,
        max(customer_key) as last_key,
        count(distinct customer_key) filter (where is_enterprise) as enterprises,
        min(customer_key) filter (where is_enterprise) as enterprise_key,
        bool_or(valid_to < date '9999-12-31') as has_ends
    from holdings
    group by phone
),

-- One holder, or one enterprise and its people, at all times.
settled as (
    select
        phone,
        coalesce(enterprise_key, customer_key) as customer_key,
        date '1900-01-01' as valid_from,
        date '9999-12-31' as valid_to
    from numbers
    where customer_key = last_key or (enterprises = 1 and not has_ends)
),

-- Of a customer's own statements on a number, those with days count; those without only where he states none.
contested as (
    select
        holdings.phone,
        holdings.customer_key,
        holdings.valid_from,
        holdings.valid_to
    from holdings
    inner join numbers on holdings.phone = numbers.phone
    where
        numbers.customer_key < numbers.last_key and numbers.has_ends
        and (
            holdings.is_dated
            or not exists (
                select 1 from holdings as own
                where holdings.phone = own.phone and holdings.customer_key = own.customer_key and own.is_dated
            )
        )
),

edges as (
    select
        phone,
        valid_from as day
    from contested
    union
    select
        phone,
        valid_to + 1 as day
    from contested
    where valid_to < date '9999-12-31'
),

stretches as (
    select
        phone,
        day as valid_from,
        coalesce(lead(day) over (partition by phone order by day) - 1, date '9999-12-31') as valid_to
    from edges
),

owned as (
    select
        stretches.phone,
        min(contested.customer_key) as customer_key,
        stretches.valid_from,
        stretches.valid_to
    from stretches
    inner join contested
        on
            stretches.phone = contested.phone
            and stretches.valid_from >= contested.valid_from
            and stretches.valid_to <= contested.valid_to
    group by stretches.phone, stretches.valid_from, stretches.valid_to
    having count(distinct contested.customer_key) = 1
)

select
    phone,
    customer_key,
    valid_from,
    valid_to
from settled
union all
select
    phone,
    customer_key,
    valid_from,
    valid_to
from owned
