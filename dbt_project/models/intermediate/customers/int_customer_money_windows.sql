-- Months become columns, so that a window is a sum of columns and needs neither sort nor join. Amounts in cents.
{% set schemes = tier_schemes() %}
{% set measures = tier_measures(schemes) %}
{% set months = tier_months() %}
{% set bases = [] %}
{% for measure in measures.values() if measure.basis in ['revenue', 'profit'] and measure.basis not in bases %}{% do bases.append(measure.basis) %}{% endfor %}
with money as (
    select
        money.customer_number,
        money.month_number,
        money.charge_count + money.return_count > 0 as is_customer,
        cast(100 * (money.billed_amount + money.returned_amount) as bigint) as revenue,
        cast(100 * (money.billed_amount + money.returned_amount - money.cost_amount - money.service_cost_amount) as bigint) as profit
    from {{ ref('int_customer_money_months') }} as money
),

-- What lies before the first month on the list is in no window.
months as (
    select
        money.customer_number,
        min(money.month_number) filter (where money.is_customer) as first_month
        {%- for basis in bases %}{% for month in months %},
        cast(coalesce(sum(money.{{ basis }}) filter (where money.month_number = {{ month.month_number }}), 0) as bigint) as {{ basis }}_{{ month.position }}
        {%- endfor %}{% endfor %}
    from money
    group by money.customer_number
),

-- What is to be paid again and again has no day: it is known as of now, of the owner of the account.
standing as (
    select
        numbers.customer_number,
        cast(100 * sum({{ converted('transactions.amount', 'transactions.currency', 'rates.rate') }}) as bigint) as standing_orders
    from {{ ref('int_transactions') }} as transactions
    inner join {{ ref('dim_customer_links') }} as links
        on coalesce(transactions.customer_source, transactions.source) = links.source and transactions.customer_id = links.customer_id
    inner join {{ ref('int_customer_numbers') }} as numbers on links.customer_key = numbers.customer_key
    left join {{ exchange_rate_spans() }} as rates on transactions.currency = rates.currency and rates.valid_to = date '9999-12-31'
    where transactions._status = 'used' and transactions.transaction_kind = 'standing_order' and transactions.occurred_at is null
    group by numbers.customer_number
)

select
    numbers.customer_number,
    numbers.customer_kind,
    months.first_month,
    standing.standing_orders
    {%- for name, measure in measures.items() %}{% for month in months if month.is_graded %},
    {% if measure.basis == 'standing_orders' -%}
    {{ 'standing.standing_orders' if loop.last else 'cast(null as bigint)' }}
    {%- else -%}
    {% for inside in months if inside.position <= month.position and inside.position > month.position - measure.window %}{{ ' + ' if not loop.first }}months.{{ measure.basis }}_{{ inside.position }}{% endfor %}
    {%- endif %} as {{ name }}_m{{ month.position }}
    {%- endfor %}{% endfor %}
from {{ ref('int_customer_numbers') }} as numbers
left join months on numbers.customer_number = months.customer_number
left join standing on numbers.customer_number = standing.customer_number
where months.first_month is not null or standing.standing_orders is not null
