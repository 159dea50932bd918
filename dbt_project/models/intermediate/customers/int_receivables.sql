-- What is owed, in pieces: a piece is open from the day of its charge until the day on which money settled it. A charge paid in two parts is two pieces.
-- Money finds charges in three steps: by the charge that it names; by the day on which the source itself says a charge was paid; what is left goes to the
-- oldest charges of the account. No step crosses accounts or currencies, except that money may name a charge of another account.
with used as (
    select
        transactions.source,
        transactions.transaction_id,
        coalesce(transactions.account_id, concat('customer:', transactions.customer_id)) as debtor,
        coalesce(transactions.customer_source, transactions.source) as customer_source,
        transactions.customer_id,
        transactions.subscription_id,
        transactions.settles_id,
        transactions.org_unit_id,
        transactions.product_line,
        transactions.transaction_kind,
        {{ or_unknown('transactions.currency') }} as currency,
        transactions.amount,
        transactions.due_on,
        transactions.paid_on,
        {{ local_day('transactions.occurred_at', 'units.time_zone') }} as occurred_on
    from {{ ref('int_transactions') }} as transactions
    left join {{ ref('dim_org_units') }} as units on transactions.org_unit_id = units.org_unit_id
    where
        transactions._status = 'used'
        and transactions.occurred_at is not null
        and transactions.transaction_kind in ('charge', 'invoice', 'order', 'payment', 'return')
),

-- An invoice lists charges; where a source sends no charges it stands for them.
billing_kinds as (
    select
        used.source,
        used.transaction_kind
    from used
    where used.transaction_kind in ('charge', 'invoice', 'order')
    group by used.source, used.transaction_kind
),

charging as (
    select distinct source
    from billing_kinds
    where transaction_kind = 'charge'
),

billed as (
    select
        kinds.source,
        kinds.transaction_kind
    from billing_kinds as kinds
    left join charging on kinds.source = charging.source
    where kinds.transaction_kind <> 'invoice' or charging.source is null
),

-- A payment that the bank took back is owed again from that day on.
items as (
    select
        {{ columns_without('used', ['due_on', 'settles_id']) }},
        coalesce(used.due_on, case when used.transaction_kind = 'payment' then used.occurred_on end) as due_on,
        abs(used.amount) as owed
    from used
    left join billed on used.source = billed.source and used.transaction_kind = billed.transaction_kind
    where
        (billed.source is not null and used.amount > 0 and used.due_on is not null)
        or (used.transaction_kind = 'payment' and used.amount < 0)
),

-- Payments, returns, and charges below zero (credit notes).
credits as (
    select
        used.source,
        used.transaction_id,
        used.debtor,
        used.settles_id,
        used.currency,
        abs(used.amount) as amount,
        used.occurred_on
    from used
    left join billed on used.source = billed.source and used.transaction_kind = billed.transaction_kind
    where
        (used.transaction_kind = 'payment' and used.amount > 0)
        or (used.transaction_kind = 'return' and used.amount < 0)
        or (billed.source is not null and used.amount < 0)
),

named_credits as (
    select
        credits.source,
        credits.transaction_id as credit_id,
        credits.debtor as credit_debtor,
        credits.currency,
        credits.amount,
        credits.occurred_on as credit_on,
        items.transaction_id,
        items.owed,
        items.occurred_on as item_on
    from credits
    inner join items on credits.source = items.source and credits.settles_id = items.transaction_id and credits.currency = items.currency
),

-- Most charges are named once and paid in one piece; only the others are put in an order.
named_often as (
    select
        named_credits.source,
        named_credits.transaction_id
    from named_credits
    group by named_credits.source, named_credits.transaction_id
    having count(*) > 1
),

named as (
    select
        named_credits.*,
        0 as covered_before
    from named_credits
    anti join named_often on named_credits.source = named_often.source and named_credits.transaction_id = named_often.transaction_id
    union all
    select
        named_credits.*,
        coalesce(
            sum(named_credits.amount) over (
                partition by named_credits.source, named_credits.transaction_id
                order by named_credits.credit_on, named_credits.credit_id
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as covered_before
    from named_credits
    semi join named_often on named_credits.source = named_often.source and named_credits.transaction_id = named_often.transaction_id
),

named_pieces as (
    select
        named.source,
        named.transaction_id,
        greatest(named.credit_on, named.item_on) as settled_on,
        'reference' as settled_by,
        least(named.amount, named.owed - named.covered_before) as amount
    from named
    where named.covered_before < named.owed
),

named_sums as (
    select
        named_pieces.source,
        named_pieces.transaction_id,
        sum(named_pieces.amount) as settled
    from named_pieces
    group by named_pieces.source, named_pieces.transaction_id
),

-- What is left to be settled after the first step.
left_open as (
    select
        items.source,
        items.transaction_id,
        items.debtor,
        items.currency,
        items.due_on,
        items.paid_on,
        items.occurred_on,
        items.owed - coalesce(named_sums.settled, 0) as amount
    from items
    left join named_sums on items.source = named_sums.source and items.transaction_id = named_sums.transaction_id
    where items.owed > coalesce(named_sums.settled, 0)
),

said_pieces as (
    select
        left_open.source,
        left_open.transaction_id,
        greatest(left_open.paid_on, left_open.occurred_on) as settled_on,
        'source' as settled_by,
        left_open.amount
    from left_open
    where left_open.paid_on is not null
),

-- Money that names no charge that is there, and what a named charge did not need.
free_credits as (
    select
        credits.source,
        credits.debtor,
        credits.currency,
        credits.transaction_id,
        credits.occurred_on,
        credits.amount
    from credits
    left join items on credits.source = items.source and credits.settles_id = items.transaction_id and credits.currency = items.currency
    where items.transaction_id is null
    union all
    select
        named.source,
        named.credit_debtor as debtor,
        named.currency,
        named.credit_id as transaction_id,
        named.credit_on as occurred_on,
        named.amount - greatest(0, least(named.amount, named.owed - named.covered_before)) as amount
    from named
    where named.covered_before + named.amount > named.owed
),

-- Charges that the source says are paid take their money first, so that it does not pay another charge a second time.
queued as (
    select
        left_open.source,
        left_open.debtor,
        left_open.currency,
        left_open.transaction_id,
        left_open.paid_on is null as is_unsaid,
        left_open.occurred_on,
        sum(left_open.amount) over (
            partition by left_open.source, left_open.debtor, left_open.currency
            order by left_open.paid_on is null, coalesce(left_open.paid_on, left_open.due_on), left_open.occurred_on, left_open.transaction_id
        ) as reached
    from left_open
    semi join free_credits
        on left_open.source = free_credits.source and left_open.debtor = free_credits.debtor and left_open.currency = free_credits.currency
),

money as (
    select
        free_credits.source,
        free_credits.debtor,
        free_credits.currency,
        free_credits.occurred_on,
        sum(free_credits.amount) over (
            partition by free_credits.source, free_credits.debtor, free_credits.currency order by free_credits.occurred_on, free_credits.transaction_id
        ) as reached
    from free_credits
    semi join queued
        on free_credits.source = queued.source and free_credits.debtor = queued.debtor and free_credits.currency = queued.currency
),

-- Charges and money laid end to end; where one of them ends, a piece ends. The piece belongs to the charge and to the money that end next.
ends as (
    select
        queued.source,
        queued.debtor,
        queued.currency,
        queued.reached,
        0 as side,
        {{ record(['transaction_id', 'is_unsaid', 'occurred_on']) }} as item,
        cast(null as date) as paid_on
    from queued
    union all
    select
        money.source,
        money.debtor,
        money.currency,
        money.reached,
        1 as side,
        null as item,
        money.occurred_on as paid_on
    from money
),

laid as (
    select
        ends.source,
        ends.reached - lag(ends.reached, 1, 0) over account as amount,
        first_value(ends.item ignore nulls) over (account rows between current row and unbounded following) as item,
        first_value(ends.paid_on ignore nulls) over (account rows between current row and unbounded following) as paid_on
    from ends
    window account as (partition by ends.source, ends.debtor, ends.currency order by ends.reached, ends.side)
),

oldest_pieces as (
    select
        laid.source,
        laid.item.transaction_id,
        greatest(laid.paid_on, laid.item.occurred_on) as settled_on,
        'oldest_first' as settled_by,
        sum(laid.amount) as amount
    from laid
    where laid.amount > 0 and laid.item.is_unsaid and laid.paid_on is not null
    group by laid.source, laid.item.transaction_id, greatest(laid.paid_on, laid.item.occurred_on)
),

settled as (
    select * from named_pieces
    union all
    select * from said_pieces
    union all
    select * from oldest_pieces
),

settled_sums as (
    select
        settled.source,
        settled.transaction_id,
        sum(settled.amount) as settled,
        count(*) as pieces
    from settled
    group by settled.source, settled.transaction_id
),

charges as (
    select
        {{ columns_without('items', ['amount', 'paid_on']) }},
        items.owed - coalesce(settled_sums.settled, 0) as rest,
        coalesce(settled_sums.pieces, 0) + case when items.owed > coalesce(settled_sums.settled, 0) then 1 else 0 end as pieces
    from items
    left join settled_sums on items.source = settled_sums.source and items.transaction_id = settled_sums.transaction_id
),

pieces as (
    select
        charges.*,
        settled.settled_on,
        settled.settled_by,
        settled.amount
    from charges
    inner join settled on charges.source = settled.source and charges.transaction_id = settled.transaction_id
    union all
    select
        charges.*,
        cast(null as date) as settled_on,
        cast(null as varchar) as settled_by,
        charges.rest as amount
    from charges
    where charges.rest > 0
),

placed as (
    select
        pieces.*,
        1 as piece_number
    from pieces
    where pieces.pieces = 1
    union all
    select
        pieces.*,
        row_number() over (
            partition by pieces.source, pieces.transaction_id order by pieces.settled_on nulls last, pieces.settled_by, pieces.amount
        ) as piece_number
    from pieces
    where pieces.pieces > 1
)

select
    placed.source,
    placed.transaction_id,
    placed.piece_number,
    placed.piece_number = placed.pieces as is_last_piece,
    placed.debtor,
    placed.customer_source,
    placed.customer_id,
    placed.subscription_id,
    placed.org_unit_id,
    placed.product_line,
    placed.transaction_kind,
    placed.currency,
    cast(placed.amount as decimal(18, 2)) as amount,
    placed.settled_by,
    placed.occurred_on,
    placed.due_on,
    placed.settled_on
from placed
