{{ config(enabled='cdnow' in var('sources')) }}

-- A purchase has no number of its own: its key is the line and its ordinal among equal lines. The lines of the sample are lines of the master and
-- get the same keys, so both files together count every purchase once.
{% for table in ['purchases', 'sample_purchases'] %}
select
    log_row_id as transaction_id,
    customer_id,
    'music' as product_line,
    'order' as transaction_kind,
    {{ timestamp_column('purchased_on', 'occurred_at', format='%Y%m%d') }},
    dollar_value as amount,
    case when _problem is null then 'USD' end as currency,
    number_of_cds as quantity,
    {{ load_facts(table) }}
from {{ log_lines(source('cdnow', table), ['customer_id', 'purchased_on', 'number_of_cds', 'dollar_value']) }} as numbered
{{ 'union all' if not loop.last }}
{% endfor %}
