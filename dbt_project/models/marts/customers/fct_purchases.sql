-- Several orders of one day are one purchase. The last days, whose window is still open when the newest order was placed, are not final.
with days as (
    select
        transactions.customer_key,
        transactions.occurred_on,
        any_value(transactions.customer_kind) as customer_kind,
        {{ first_value_of('transactions.org_unit_id', 'transactions.occurred_at') }} as org_unit_id,
        case when count(distinct transactions.product_line) > 1 then 'several' else any_value(transactions.product_line) end as product_line,
        case when count(distinct transactions.source) > 1 then 'several' else any_value(transactions.source) end as source,
        count(*) as orders
    from {{ ref('fct_transactions') }} as transactions
    where transactions.transaction_kind = 'order' and transactions.customer_key is not null and transactions.occurred_on is not null
    group by transactions.customer_key, transactions.occurred_on
),

followed as (
    select
        days.*,
        lead(days.occurred_on) over (partition by days.customer_key order by days.occurred_on) as next_purchase_on,
        row_number() over (partition by days.customer_key order by days.occurred_on) as purchase_number,
        max(days.occurred_on) over () as last_known_on
    from days
),

judged as (
    select
        followed.*,
        coalesce(
            {{ seconds_between('cast(followed.occurred_on as timestamp)', 'cast(followed.next_purchase_on as timestamp)') }} <= {{ threshold('return_window') }},
            false
        ) as is_in_window,
        {{ seconds_between('cast(followed.occurred_on as timestamp)', 'cast(followed.last_known_on as timestamp)') }} >= {{ threshold('return_window') }} as is_window_over
    from followed
)

select
    judged.customer_key,
    judged.source,
    judged.org_unit_id,
    judged.customer_kind,
    judged.product_line,
    cast(judged.orders as integer) as orders,
    cast(judged.purchase_number as integer) as purchase_number,
    case when judged.is_in_window then true when judged.is_window_over then false end as is_bought_again,
    judged.is_window_over as is_final,
    judged.next_purchase_on,
    judged.occurred_on as purchased_on
from judged
