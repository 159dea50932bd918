-- Charges that repeat one of the same account, contract, product, month and amount. Without a contract on the charge two equal contracts of one account look
-- like one charged twice: such a case is marked `same_product` and counted apart.
with charges as (
    select
        transactions.source,
        transactions.transaction_id,
        transactions.account_id,
        transactions.subscription_id,
        coalesce(transactions.customer_source, transactions.source) as customer_source,
        transactions.customer_id,
        transactions.org_unit_id,
        transactions.product_line,
        {{ or_unknown('transactions.currency') }} as currency,
        transactions.amount,
        transactions.paid_on,
        transactions.transaction_kind,
        transactions.settles_id,
        {{ local_day('transactions.occurred_at', 'units.time_zone') }} as charged_on
    from {{ ref('int_transactions') }} as transactions
    left join {{ ref('dim_org_units') }} as units on transactions.org_unit_id = units.org_unit_id
    where
        transactions._status = 'used'
        and transactions.account_id is not null
        and ((transactions.transaction_kind = 'charge' and transactions.amount > 0) or (transactions.transaction_kind = 'return' and transactions.amount < 0))
),

-- Charges of one month in an order of their own; only groups of two and more are looked at further.
repeated as (
    select
        charges.*,
        row_number() over alike as repetition,
        first_value(charges.transaction_id) over alike as first_transaction_id
    from charges
    where charges.transaction_kind = 'charge'
    window alike as (
        partition by
            charges.source, charges.account_id, charges.subscription_id, charges.product_line, charges.currency, charges.amount,
            {{ month_number('charges.charged_on') }}
        order by charges.charged_on, charges.transaction_id
    )
    qualify row_number() over alike > 1
),

until_days as (
    select
        charges.source,
        max(charges.charged_on) as until
    from charges
    group by charges.source
),

-- The money given back: a return that names the charge, or the n-th return of the amount for the n-th double charge of the amount.
named_returns as (
    select
        repeated.source,
        repeated.transaction_id,
        min(returns.charged_on) as returned_on,
        {{ first_value_of('returns.transaction_id', sort_key(['returns.charged_on', 'returns.transaction_id'])) }} as return_id
    from repeated
    inner join charges as returns
        on repeated.source = returns.source and returns.settles_id in (repeated.transaction_id, repeated.first_transaction_id)
    where returns.transaction_kind = 'return' and -returns.amount >= repeated.amount and returns.charged_on >= repeated.charged_on
    group by repeated.source, repeated.transaction_id
),

waiting as (
    select
        repeated.source,
        repeated.account_id,
        repeated.currency,
        repeated.amount,
        repeated.transaction_id,
        repeated.charged_on,
        row_number() over (
            partition by repeated.source, repeated.account_id, repeated.currency, repeated.amount order by repeated.charged_on, repeated.transaction_id
        ) as place
    from repeated
    anti join named_returns on repeated.source = named_returns.source and repeated.transaction_id = named_returns.transaction_id
),

first_doubles as (
    select
        w.source,
        w.account_id,
        w.currency,
        w.amount,
        min(w.charged_on) as first_on
    from waiting as w
    group by w.source, w.account_id, w.currency, w.amount
),

given_back as (
    select
        returns.source,
        returns.account_id,
        returns.currency,
        -returns.amount as amount,
        returns.transaction_id as return_id,
        returns.charged_on as returned_on,
        row_number() over (partition by returns.source, returns.account_id, returns.currency, returns.amount order by returns.charged_on, returns.transaction_id) as place
    from charges as returns
    inner join first_doubles
        on
            returns.source = first_doubles.source
            and returns.account_id = first_doubles.account_id
            and returns.currency = first_doubles.currency
            and -returns.amount = first_doubles.amount
            and returns.charged_on >= first_doubles.first_on
    where returns.transaction_kind = 'return' and returns.settles_id is null
),

equal_returns as (
    select
        waiting.source,
        waiting.transaction_id,
        given_back.return_id,
        given_back.returned_on
    from waiting
    inner join given_back
        on
            waiting.source = given_back.source
            and waiting.account_id = given_back.account_id
            and waiting.currency = given_back.currency
            and waiting.amount = given_back.amount
            and waiting.place = given_back.place
    where given_back.returned_on >= waiting.charged_on
),

judged as (
    select
        repeated.*,
        coalesce(named_returns.return_id, equal_returns.return_id) as return_id,
        coalesce(named_returns.returned_on, equal_returns.returned_on) as returned_on,
        repeated.charged_on + cast({{ threshold('double_charge_days') }} as integer) as correct_until,
        until_days.until
    from repeated
    inner join until_days on repeated.source = until_days.source
    left join named_returns on repeated.source = named_returns.source and repeated.transaction_id = named_returns.transaction_id
    left join equal_returns on repeated.source = equal_returns.source and repeated.transaction_id = equal_returns.transaction_id
)

select
    judged.source,
    judged.transaction_id,
    judged.first_transaction_id,
    judged.account_id,
    judged.subscription_id,
    links.customer_key,
    judged.org_unit_id,
    {{ or_unknown('customers.customer_kind') }} as customer_kind,
    {{ or_unknown('judged.product_line') }} as product_line,
    judged.currency,
    judged.currency = {{ main_currency() }} as is_main_currency,
    case when judged.subscription_id is null then 'same_product' else 'same_contract' end as double_kind,
    judged.amount,
    judged.return_id,
    judged.returned_on,
    case when judged.returned_on <= judged.correct_until then true when judged.until >= judged.correct_until then false end as is_corrected,
    judged.until >= judged.correct_until as is_final,
    judged.charged_on
from judged
left join {{ ref('dim_customer_links') }} as links on judged.customer_source = links.source and judged.customer_id = links.customer_id
left join {{ ref('dim_customers') }} as customers on links.customer_key = customers.customer_key
