{#- Days -> bucket of arrears, one row per day from 0 (not due) to the beginning of the last bucket: a join of whole numbers. -#}
{% macro arrears_days() -%}
    select
        d.days_late,
        coalesce({{ last_value_of('b.bucket', 'b.at_least') }}, 'not_due') as bucket,
        coalesce(cast(max(b.rank) as integer), 0) as bucket_rank
    from (select unnest(generate_series(0, (select max(m.at_least) from {{ ref('arrears_buckets') }} as m))) as days_late) as d
    left join (
        select
            r.bucket,
            r.at_least,
            row_number() over (order by r.at_least) as rank
        from {{ ref('arrears_buckets') }} as r
    ) as b on d.days_late >= b.at_least
    group by d.days_late
{%- endmacro %}

{#- Key of `arrears_days` for a debt that was due on one day, on another. -#}
{% macro days_late(due_on, on_day) -%}
    cast(least(greatest({{ on_day }} - {{ due_on }}, 0), (select max(m.at_least) from {{ ref('arrears_buckets') }} as m)) as bigint)
{%- endmacro %}

{#- Days on which the debts of each source are looked at: its month ends, and the last day of its data. A month in which the source sent nothing at all
    is not known: what was paid in it may only be missing. -#}
{% macro arrears_stock_days() -%}
    select
        days.source,
        days.stock_on,
        days.is_month_end,
        lead(days.stock_on) over (partition by days.source order by days.stock_on) as next_stock_on,
        months.moved_month is not null as is_known
    from (
        select
            spans.source,
            last_day(cast(unnest(generate_series(spans.first_on, date_trunc('month', spans.until), interval '1 month')) as date)) as month_end,
            spans.until,
            least(month_end, spans.until) as stock_on,
            month_end <= spans.until as is_month_end
        from (
            select
                m.source,
                min(m.moved_month) as first_on,
                max(m.last_moved_on) as until
            from moved as m
            group by m.source
        ) as spans
    ) as days
    left join moved as months on days.source = months.source and date_trunc('month', days.stock_on) = months.moved_month
{%- endmacro %}

{#- Months and days on which a source moved money at all; read by `arrears_stock_days` as the CTE `moved`. -#}
{% macro arrears_moved_months() -%}
    select
        m.source,
        cast(date_trunc('month', m.moved_on) as date) as moved_month,
        max(m.moved_on) as last_moved_on
    from (
        select
            t.source,
            {{ local_day('t.occurred_at', 'null') }} as moved_on
        from {{ ref('int_transactions') }} as t
        where t._status = 'used' and t.occurred_at is not null and t.transaction_kind in ('charge', 'invoice', 'order', 'payment', 'return')
    ) as m
    group by m.source, cast(date_trunc('month', m.moved_on) as date)
{%- endmacro %}

{#- The currency of most charges; sums of money are of this one only, for there is no rate of exchange here. -#}
{% macro main_currency() -%}
    (
        select {{ first_value_of('c.currency', sort_key(['-c.n', 'c.currency'])) }}
        from (select r.currency, count(*) as n from {{ ref('int_receivables') }} as r group by r.currency) as c
    )
{%- endmacro %}

{#- Last day up to which contracts are known: the newest payment, charge or action. Begins and ends of contracts may lie ahead of it. -#}
{% macro contracts_known_until() -%}
    (
        select
            coalesce(
                greatest(
                    (select max({{ local_day('t.occurred_at', 'null') }}) from {{ ref('int_transactions') }} as t where t._status = 'used'),
                    (select max({{ local_day('a.occurred_at', 'null') }}) from {{ ref('int_customer_actions') }} as a where a._status = 'used')
                ),
                (select max(s.started_on) from {{ ref('int_subscriptions') }} as s where s._status = 'used')
            )
    )
{%- endmacro %}

{#- Band of a number by seeds/customer_bands.csv. -#}
{% macro customer_band(fact, number_sql) -%}
    (
        select coalesce({{ last_value_of('f.band', 'f.at_least') }}, 'unknown')
        from {{ ref('customer_bands') }} as f
        where f.fact = '{{ fact }}' and f.at_least <= {{ number_sql }}
    )
{%- endmacro %}
