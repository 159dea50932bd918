{#- The key of a model: no part missing, no value twice; and, with `used_rows_of`, as many rows as the feed has used ones: no
    join drops or multiplies a row. One pass over the model for all of it. Keys are compared by a pair of 64-bit hashes in one: of ten
    million different ones two share it with a chance of one in 400,000.

    To see the keys: select <columns>, count(*) from <model> group by all having count(*) > 1. -#}
{% test unique_key(model, columns, used_rows_of=none) %}
    with found as (
        select
            count(*) as rows_found,
            count(distinct {{ double_hash(columns) }}) as keys_found,
            count(*) filter (where {% for column in columns %}{{ 'or ' if not loop.first }}{{ column }} is null {% endfor %}) as incomplete_keys
            {%- if used_rows_of %},
            (select count(*) from {{ ref('int_' ~ used_rows_of) }} where _status = 'used') as rows_expected
            {%- endif %}
        from {{ model }}
    )

    select * from found
    where
        rows_found <> keys_found
        or incomplete_keys > 0
        {%- if used_rows_of %}
        or rows_found <> rows_expected
        {%- endif %}
{% endtest %}
