-- Accounts that owe money after its due day, at each month end and on the last day of the data, by their oldest debt.
with moved as (
    {{ arrears_moved_months() }}
),

stock_days as (
    {{ arrears_stock_days() }}
),

bucket_days as (
    {{ arrears_days() }}
),

overdue as (
    select
        pieces.source,
        pieces.debtor,
        pieces.currency,
        days.stock_on,
        days.is_month_end,
        days.is_known,
        days.next_stock_on,
        min(pieces.org_unit_id) as org_unit_id,
        min(pieces.customer_source) as customer_source,
        min(pieces.customer_id) as customer_id,
        min(pieces.due_on) as oldest_due_on,
        count(*) filter (where pieces.is_last_piece) as items,
        sum(pieces.amount) as overdue_amount
    from {{ ref('int_receivables') }} as pieces
    inner join stock_days as days
        on pieces.source = days.source and pieces.due_on < days.stock_on and pieces.occurred_on <= days.stock_on
    where (pieces.settled_on is null or pieces.settled_on > pieces.due_on) and (pieces.settled_on is null or pieces.settled_on > days.stock_on)
    group by pieces.source, pieces.debtor, pieces.currency, days.stock_on, days.is_month_end, days.is_known, days.next_stock_on
),

followed as (
    select
        overdue.*,
        lag(overdue.stock_on) over account is not null as was_overdue_before,
        lead(overdue.stock_on) over account as next_overdue_on,
        lead(overdue.oldest_due_on) over account as next_oldest_due_on
    from overdue
    where overdue.debtor is not null
    window account as (partition by overdue.source, overdue.debtor, overdue.currency order by overdue.stock_on)
),

known_days as (
    select
        d.source,
        d.stock_on
    from stock_days as d
    where d.is_month_end and d.is_known
),

judged as (
    select
        followed.*,
        followed.is_month_end and followed.is_known and known_days.stock_on is not null as is_roll_final,
        coalesce(followed.next_overdue_on = followed.next_stock_on, false) as is_overdue_next
    from followed
    left join known_days on followed.source = known_days.source and followed.next_stock_on = known_days.stock_on
)

select
    judged.source,
    judged.debtor as account_id,
    judged.currency,
    links.customer_key,
    judged.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    judged.currency = {{ main_currency() }} as is_main_currency,
    here.bucket,
    here.bucket_rank,
    case when not judged.is_roll_final then null when judged.is_overdue_next then after.bucket else 'cured' end as next_bucket,
    case when not judged.is_roll_final then null when judged.is_overdue_next then after.bucket_rank else 0 end as next_rank,
    cast(judged.items as integer) as items,
    cast(judged.overdue_amount as decimal(18, 2)) as overdue_amount,
    not judged.was_overdue_before as is_first_time,
    judged.is_month_end,
    judged.is_known,
    judged.is_roll_final,
    judged.oldest_due_on,
    judged.stock_on
from judged
inner join bucket_days as here on {{ days_late('judged.oldest_due_on', 'judged.stock_on') }} = here.days_late
left join bucket_days as after on {{ days_late('judged.next_oldest_due_on', 'judged.next_stock_on') }} = after.days_late
left join {{ ref('dim_customer_links') }} as links on judged.customer_source = links.source and judged.customer_id = links.customer_id
left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
