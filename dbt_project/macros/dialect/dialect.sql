{#- What DuckDB writes in its own way stands here and nowhere else, so that another engine needs only this folder. -#}

{#- Seconds by which a zone is ahead of UTC, for zones whose clocks have not changed since the beginning of 1992; else none.
    Their times are an addition instead of a look-up of the zone's history, a tenth of the cost. -#}
{% macro fixed_offset_seconds(time_zone) -%}
    {{ return({
        'Asia/Shanghai': 28800, 'Asia/Hong_Kong': 28800, 'Asia/Singapore': 28800, 'Asia/Taipei': 28800, 'Asia/Tokyo': 32400,
        'Asia/Seoul': 32400, 'Asia/Kolkata': 19800, 'Asia/Urumqi': 21600,
    }.get(time_zone)) }}
{%- endmacro %}

{% macro local_to_utc(local_timestamp, time_zone) -%}
    {%- set by_history = "timezone('UTC', timezone('" ~ time_zone ~ "', " ~ local_timestamp ~ "))" -%}
    {%- set offset = fixed_offset_seconds(time_zone) -%}
    {%- if offset is none -%}
    {{ by_history }}
    {%- else -%}
    case when {{ local_timestamp }} >= timestamp '1992-01-02' then {{ local_timestamp }} - interval '{{ offset }} seconds' else {{ by_history }} end
    {%- endif -%}
{%- endmacro %}

{#- The same with a zone that is a column. -#}
{% macro local_to_utc_of(local_timestamp, time_zone_sql) -%}
    timezone('UTC', timezone({{ time_zone_sql }}, {{ local_timestamp }}))
{%- endmacro %}

{#- A local time that a clock change skips is read `utc`, an hour or so too late: the first minute from the change on. -#}
{% macro first_minute_showing(utc, local_timestamp, time_zone_sql) -%}
    list_min(list_filter(
        generate_series({{ utc }} - ({{ utc_to_local(utc, time_zone_sql) }} - {{ local_timestamp }}), {{ utc }}, interval '1 minute'),
        lambda m: {{ utc_to_local('m', time_zone_sql) }} >= {{ local_timestamp }}
    ))
{%- endmacro %}

{% macro utc_to_local(utc_timestamp, time_zone_sql) -%}
    {%- set by_history = "timezone(" ~ time_zone_sql ~ ", timezone('UTC', " ~ utc_timestamp ~ "))" -%}
    {%- set offset = fixed_offset_seconds(time_zone_sql.strip("'")) -%}
    {%- if offset is none -%}
    {{ by_history }}
    {%- else -%}
    case when {{ utc_timestamp }} >= timestamp '1992-01-02' then {{ utc_timestamp }} + interval '{{ offset }} seconds' else {{ by_history }} end
    {%- endif -%}
{%- endmacro %}

{#- Seconds from one timestamp to another, as a whole number (rounded down). -#}
{% macro seconds_between(earlier, later) -%}
    cast(floor(epoch({{ later }}) - epoch({{ earlier }})) as bigint)
{%- endmacro %}

{% macro add_seconds(timestamp_sql, seconds_sql) -%}
    {{ timestamp_sql }} + to_seconds({{ seconds_sql }})
{%- endmacro %}

{% macro from_epoch_seconds(number_sql) -%}
    timezone('UTC', to_timestamp({{ number_sql }}))
{%- endmacro %}

{% macro epoch_micros(timestamp_sql) -%}
    epoch_us({{ timestamp_sql }})
{%- endmacro %}

{#- 64-bit hash of one or more expressions; only for finding candidates, never as an identity: DuckDB's hash of texts that differ in two
    places is far from random (three collisions among 32,385 texts of one kind, where chance would have given none). -#}
{% macro quick_hash(expressions) -%}
    hash({{ expressions | join(', ') }})
{%- endmacro %}

{#- Two such hashes in one, of the expressions and of their texts moved on by a character: what cancels out in one does not in the other. -#}
{% macro double_hash(expressions) -%}
    xor(hash({{ expressions | join(', ') }}), hash({% for expression in expressions %}concat('#', {{ expression }}){{ ', ' if not loop.last }}{% endfor %}))
{%- endmacro %}

{#- All columns of a relation but the named ones. -#}
{% macro columns_without(alias, names) -%} {{ alias }}.* exclude ({{ names | join(', ') }}) {%- endmacro %}

{#- List of the given text expressions without its nulls. Hardly any row has one, and a list costs some twenty times what
    the look at its parts does, so it is made only where there is something to put into it. -#}
{% macro list_without_nulls(expressions) -%}
    {%- if expressions -%}
    case
        when coalesce({{ expressions | join(', ') }}) is null then cast([] as varchar[])
        else list_filter([{{ expressions | join(', ') }}], lambda item: item is not null)
    end
    {%- else -%}
    cast([] as varchar[])
    {%- endif -%}
{%- endmacro %}

{% macro lists_together(first, second) -%}
    case when len({{ second }}) = 0 then {{ first }} else list_concat({{ first }}, {{ second }}) end
{%- endmacro %}

{% macro list_is_empty(list_sql) -%} len({{ list_sql }}) = 0 {%- endmacro %}

{% macro list_to_text(list_sql, separator=', ') -%} array_to_string({{ list_sql }}, '{{ separator }}') {%- endmacro %}

{% macro try_cast_to(expression, data_type) -%}
    {%- set type = data_type | lower -%}
    {%- if type in ['integer', 'bigint'] -%}
    {#- A cast of '12.7' would round in silence; a fraction in a whole-number column is a reason, not a value. -#}
    case
        when try_cast({{ expression }} as double) = floor(try_cast({{ expression }} as double))
            then try_cast({{ expression }} as {{ type }})
    end
    {%- elif type == 'double' -%}
    case when isfinite(try_cast({{ expression }} as double)) then try_cast({{ expression }} as double) end
    {%- elif type == 'timestamp' -%}
    {{ iso_to_utc(expression) }}
    {%- else -%}
    try_cast({{ expression }} as {{ type }})
    {%- endif -%}
{%- endmacro %}

{#- ISO text -> UTC timestamp. A plain cast to timestamp would drop an offset written in the text. -#}
{% macro iso_to_utc(text) -%}
    timezone('UTC', try_cast({{ text }} as timestamptz))
{%- endmacro %}

{% macro has_utc_offset(text) -%}
    (length({{ text }}) > 16 and regexp_matches({{ text }}, ':[0-9.]+ ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$'))
{%- endmacro %}

{% macro first_value_of(value, order_by) -%} arg_min({{ value }}, {{ order_by }}) {%- endmacro %}
{% macro last_value_of(value, order_by) -%} arg_max({{ value }}, {{ order_by }}) {%- endmacro %}

{#- A JSON object as `column=value` pairs; each value through the given macro; the loader's own columns are left out. -#}
{% macro json_pairs(json_text, value_macro) -%}
    array_to_string(
        list_transform(
            list_filter(json_keys({{ json_text }}), lambda k: not starts_with(k, '_')),
            lambda k: concat(k, '=', {{ value_macro("json_extract_string(" ~ json_text ~ ", concat('$.\"', k, '\"'))") }})
        ),
        ', '
    )
{%- endmacro %}

{#- Whole seconds of a number of microseconds (rounded down). -#}
{% macro whole_seconds(micros) -%} cast(floor(({{ micros }}) / 1000000.0) as bigint) {%- endmacro %}

{% macro days_between(first_day, last_day) -%}
    select cast(unnest(generate_series(date '{{ first_day }}', date '{{ last_day }}', interval '1 day')) as date) as day
{%- endmacro %}

{% macro at_minute_of_day(day, minute_sql) -%} cast({{ day }} as timestamp) + to_minutes({{ minute_sql }}) {%- endmacro %}

{#- Join to the newest row that began at or before an instant (`began <= instant` among the rows that agree in `on`); a row without
    such a partner stays, with nulls. -#}
{% macro join_latest(relation, alias, on, began, instant) -%}
    asof left join {{ relation }} as {{ alias }}
        on {{ on | join(' and ') }} and {{ instant }} >= {{ began }}
{%- endmacro %}

{#- Join to the first row that began at or after an instant (`after`: after it), among the rows that agree in `on`; a row without such a
    partner stays, with nulls. -#}
{% macro join_next(relation, alias, on, began, instant, after=false) -%}
    asof left join {{ relation }} as {{ alias }}
        on {{ on | join(' and ') }} and {{ instant }} {{ '<' if after else '<=' }} {{ began }}
{%- endmacro %}

{#- Several columns as one value, so that the first or last row of a group gives all of them, nulls included. -#}
{% macro record(columns) -%}
    struct_pack({% for column in columns %}{{ column }} := {{ column }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{#- Sort key of several columns; the first decides. -#}
{% macro sort_key(columns) -%} row({{ columns | join(', ') }}) {%- endmacro %}

{% macro from_epoch_micros(number_sql) -%} make_timestamp({{ number_sql }}) {%- endmacro %}

{#- Whether a value is one of those that a text lists, separated by semicolons. -#}
{% macro is_listed(value, list_text) -%} contains(concat(';', replace({{ list_text }}, ' ', ''), ';'), concat(';', {{ value }}, ';')) {%- endmacro %}

{#- One row a day from a day up to, not including, another; stands in a select list. -#}
{% macro each_day(first_day, end_day) -%} cast(unnest(generate_series({{ first_day }}, {{ end_day }} - 1, interval '1 day')) as date) {%- endmacro %}

{#- The last value among the rows of a group that fulfil a condition, up to and with this row (`up_to='before'`: without it). -#}
{% macro last_in_order(value, condition, partition_by, order_by, up_to='here') -%}
    last_value(case when {{ condition }} then {{ value }} end ignore nulls) over (
        partition by {{ partition_by }} order by {{ order_by }}
        rows between unbounded preceding and {{ '1 preceding' if up_to == 'before' else 'current row' }}
    )
{%- endmacro %}

{#- Beginning of the half hour (UTC) in which an instant lies. -#}
{% macro half_hour_of(timestamp_sql) -%} time_bucket(interval '30 minutes', {{ timestamp_sql }}) {%- endmacro %}

{#- One row per half hour from the one of an instant to the one of another, both included; stands in a select list. -#}
{% macro each_half_hour(from_sql, to_sql) -%}
    unnest(generate_series({{ half_hour_of(from_sql) }}, {{ half_hour_of(to_sql) }}, interval '30 minutes'))
{%- endmacro %}

{#- Seconds of a stretch that lie within the half hour beginning at an instant. -#}
{% macro seconds_in_half_hour(began, ended, half_hour) -%}
    greatest(0, {{ seconds_between('greatest(' ~ began ~ ', ' ~ half_hour ~ ')', 'least(' ~ ended ~ ', ' ~ half_hour ~ " + interval '30 minutes')") }})
{%- endmacro %}

{#- `HH:MM` of a local timestamp. -#}
{% macro time_of_day(local_timestamp) -%} strftime({{ local_timestamp }}, '%H:%M') {%- endmacro %}

{#- A condition that ends the query with a message, for the first row that it is asked of. -#}
{% macro refused_with(message_sql) -%} cast(error({{ message_sql }}) as varchar) = '' {%- endmacro %}

{#- Whether a text has ASCII characters only: as many bytes as characters. -#}
{% macro is_ascii(text_sql) -%} strlen({{ text_sql }}) = length({{ text_sql }}) {%- endmacro %}

{#- Whether a regular expression (RE2) fits somewhere in a text. -#}
{% macro matches_pattern(text_sql, pattern_sql) -%} coalesce(regexp_matches({{ text_sql }}, {{ pattern_sql }}), false) {%- endmacro %}

{#- Whether a text holds a Chinese character. -#}
{% macro has_han(text_sql) -%} coalesce(regexp_matches({{ text_sql }}, '\p{Han}'), false) {%- endmacro %}

{#- Months by the calendar. -#}
{% macro months_before(day, number_sql) -%} {{ day }} - to_months({{ number_sql }}) {%- endmacro %}

{% macro months_between(first_day, last_day) -%} datediff('month', {{ first_day }}, {{ last_day }}) {%- endmacro %}

{#- A whole number of 64 bits from a text, the same in every version and on every machine; as good as drawn by lot. -#}
{% macro lot_of(text_sql) -%} md5_number_lower({{ text_sql }}) {%- endmacro %}

{#- Day of a delivery: the first eight digits of its text, or null where they are no day. -#}
{% macro delivery_day(delivery) -%}
    cast(try_strptime(left(regexp_replace({{ delivery }}, '[^0-9]', '', 'g'), 8), '%Y%m%d') as date)
{%- endmacro %}

{% macro last_day_of_month(day) -%} last_day({{ day }}) {%- endmacro %}

{% macro next_month_start(day) -%} cast(last_day({{ day }}) + 1 as date) {%- endmacro %}

{% macro month_start_of(day) -%} cast(date_trunc('month', {{ day }}) as date) {%- endmacro %}

{#- One row a month from a first of a month to another, both included; stands in a select list. -#}
{% macro each_month(first_month, last_month) -%} cast(unnest(generate_series({{ first_month }}, {{ last_month }}, interval '1 month')) as date) {%- endmacro %}

{#- The different values of a group as one text, in their order. -#}
{% macro ordered_distinct_text(value, separator) -%} string_agg(distinct {{ value }}, '{{ separator }}' order by {{ value }}) {%- endmacro %}

{#- Whether one of the values of a text is among those of another, both separated by semicolons. -#}
{% macro any_is_listed(values_text, list_text) -%}
    coalesce(list_has_any(string_split({{ values_text }}, ';'), string_split(replace({{ list_text }}, ' ', ''), ';')), false)
{%- endmacro %}

{#- Months since January 1970 as a whole number, and the first day of a month from it. -#}
{% macro month_number(day) -%} cast(12 * (year({{ day }}) - 1970) + month({{ day }}) - 1 as integer) {%- endmacro %}

{% macro month_from_number(number_sql) -%}
    make_date(1970 + cast(floor(({{ number_sql }}) / 12) as integer), {{ number_sql }} - 12 * cast(floor(({{ number_sql }}) / 12) as integer) + 1, 1)
{%- endmacro %}

{#- One row per whole number from one to another, both included; stands in a select list. -#}
{% macro each_number(first, last) -%} cast(unnest(generate_series({{ first }}, {{ last }})) as integer) {%- endmacro %}

{#- How often a whole number goes into another one that is not negative. -#}
{% macro whole_quotient(number_sql, by_sql) -%} ({{ number_sql }}) // {{ by_sql }} {%- endmacro %}

{#- Whole days from one day to another. -#}
{% macro days_after(first_day, last_day) -%} datediff('day', {{ first_day }}, {{ last_day }}) {%- endmacro %}

{#- The sentences of a text as a list, each with the sign that ends it; one row each: stands in a select list. -#}
{% macro each_sentence(text_sql) -%} unnest(regexp_extract_all({{ text_sql }}, '[^.。!！?？;；\n]+[.。!！?？;；\n]*')) {%- endmacro %}

{#- What stands in a group of a regular expression (RE2), null where it does not fit or the group is empty. -#}
{% macro pattern_group(text_sql, pattern_sql, group_number) -%} nullif(regexp_extract({{ text_sql }}, {{ pattern_sql }}, {{ group_number }}), '') {%- endmacro %}

{#- One row per part of a list with ; between its parts; stands in a select list. -#}
{% macro each_part(list_text) -%} unnest(string_split({{ list_text }}, ';')) {%- endmacro %}
