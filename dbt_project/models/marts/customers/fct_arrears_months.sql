-- Every piece of debt at every month end on which it was open, and what it was at the next: paid, or in which bucket. Both follow from three days (charged, due,
-- settled), so no month is joined with another.
with moved as (
    {{ arrears_moved_months() }}
),

stock_days as (
    {{ arrears_stock_days() }}
),

numbered_days as (
    select
        stock_days.source,
        {{ month_number('stock_days.stock_on') }} as stock_month,
        stock_days.stock_on,
        stock_days.is_month_end,
        stock_days.is_known,
        stock_days.next_stock_on,
        coalesce(
            stock_days.is_month_end and stock_days.is_known
            and lead(stock_days.is_month_end and stock_days.is_known) over (partition by stock_days.source order by stock_days.stock_on), false
        ) as is_roll_final
    from stock_days
),

last_months as (
    select
        d.source,
        max(d.stock_month) as last_month
    from numbered_days as d
    group by d.source
),

-- A piece that was charged and settled in one month is in no stock.
lasting as (
    select
        pieces.source,
        pieces.org_unit_id,
        pieces.customer_source,
        pieces.customer_id,
        pieces.product_line,
        pieces.currency,
        pieces.amount,
        pieces.is_last_piece,
        pieces.due_on,
        pieces.settled_on,
        {{ month_number('pieces.occurred_on') }} as first_month,
        coalesce({{ month_number('pieces.settled_on') }} - 1, last_months.last_month) as end_month
    from {{ ref('int_receivables') }} as pieces
    inner join last_months on pieces.source = last_months.source
),

open_pieces as (
    select
        {{ columns_without('lasting', ['first_month', 'end_month']) }},
        unnest(generate_series(lasting.first_month, lasting.end_month)) as stock_month
    from lasting
    where lasting.first_month <= lasting.end_month
),

bucket_days as (
    {{ arrears_days() }}
),

stock as (
    select
        open_pieces.source,
        open_pieces.org_unit_id,
        open_pieces.customer_source,
        open_pieces.customer_id,
        open_pieces.product_line,
        open_pieces.currency,
        open_pieces.amount,
        open_pieces.is_last_piece,
        {{ days_late('open_pieces.due_on', 'days.stock_on') }} as days_late,
        case
            when not days.is_roll_final then null
            when open_pieces.settled_on <= days.next_stock_on then -1
            else {{ days_late('open_pieces.due_on', 'days.next_stock_on') }}
        end as next_days_late,
        days.stock_on,
        days.is_month_end,
        days.is_known,
        days.is_roll_final
    from open_pieces
    inner join numbered_days as days on open_pieces.source = days.source and open_pieces.stock_month = days.stock_month
),

summed as (
    select
        stock.source,
        stock.org_unit_id,
        {{ or_unknown('customers.customer_kind') }} as customer_kind,
        {{ or_unknown('stock.product_line') }} as product_line,
        stock.currency,
        stock.currency = {{ main_currency() }} as is_main_currency,
        here.bucket,
        here.bucket_rank,
        case when stock.next_days_late = -1 then 'settled' else after.bucket end as next_bucket,
        case when stock.next_days_late = -1 then -1 else after.bucket_rank end as next_rank,
        cast(count(*) filter (where stock.is_last_piece) as bigint) as items,
        cast(sum(stock.amount) as decimal(18, 2)) as amount,
        stock.is_month_end,
        stock.is_known,
        stock.is_roll_final,
        stock.stock_on
    from stock
    inner join bucket_days as here on stock.days_late = here.days_late
    left join bucket_days as after on stock.next_days_late = after.days_late
    left join {{ ref('dim_customer_links') }} as links on stock.customer_source = links.source and stock.customer_id = links.customer_id
    left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
    group by all
)

select
    concat_ws(
        '|', summed.stock_on, summed.source, coalesce(summed.org_unit_id, ''), summed.customer_kind, summed.product_line, summed.currency, summed.bucket,
        coalesce(summed.next_bucket, '')
    ) as arrears_month_id,
    summed.*
from summed
