{#- Exchange rates with the days on which they hold: from `valid_from` (empty = always) up to, not including, the next line of the currency. -#}
{% macro exchange_rate_spans() -%}
    (
        select
            rates.currency,
            rates.rate,
            coalesce(rates.valid_from, date '1900-01-01') as valid_from,
            coalesce(lead(rates.valid_from) over (partition by rates.currency order by rates.valid_from nulls first), date '9999-12-31') as valid_to
        from {{ ref('exchange_rates') }} as rates
    )
{%- endmacro %}

{#- An amount in the reporting currency, to the cent. A null currency is the reporting currency; a currency without a rate gives null. Most rates are 1,
    and a row of those costs no multiplication. -#}
{% macro converted(amount, currency, rate) -%}
    case
        when {{ currency }} is null or {{ rate }} = 1 then {{ amount }}
        else cast({{ amount }} * {{ rate }} as decimal(18, 2))
    end
{%- endmacro %}
