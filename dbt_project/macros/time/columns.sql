{#- Staging's converters. Those of times, dates and truth values give the typed column AND `<name>__raw`, the text it came
    from: the feed turns "there was text but no value" into a quarantine reason, so nothing unreadable becomes null in silence. -#}

{% macro blank_to_null(raw) -%} nullif(trim({{ raw }}), '') {%- endmacro %}

{#- Timestamp in a source's own clock -> UTC. `format`: one strptime format or a list; none = ISO.
    `tz`: IANA zone of the source's clock; an offset written in the text itself wins.
    A local time that the clock change skipped does not exist: null + `<name>__problem`.
    One that happened twice is read as the later of the two (standard time) and flagged. -#}
{% macro timestamp_column(raw, name, tz='UTC', format=none) -%}
    {%- set text = blank_to_null(raw) -%}
    {%- if format is none -%}
        {%- set parsed = 'try_cast(' ~ text ~ ' as timestamp)' -%}
    {%- elif format is string -%}
        {%- set parsed = "try_strptime(" ~ text ~ ", '" ~ format ~ "')" -%}
    {%- else -%}
        {%- set parsed = "try_strptime(" ~ text ~ ", ['" ~ format | join("', '") ~ "'])" -%}
    {%- endif -%}
    {%- set zone = "'" ~ tz ~ "'" -%}
    {%- if tz == 'UTC' -%}
    {{ iso_to_utc(text) if format is none else parsed }} as {{ name }},
    {%- elif fixed_offset_seconds(tz) is not none -%}
    {#- No hour is skipped or repeated there, and to look for one would triple the cost of reading a time. -#}
    {%- if format is none -%}
    case when {{ has_utc_offset(text) }} then {{ iso_to_utc(text) }} else {{ local_to_utc(parsed, tz) }} end as {{ name }},
    {%- else -%}
    {{ local_to_utc(parsed, tz) }} as {{ name }},
    {%- endif -%}
    {%- else -%}
    {%- set utc = local_to_utc(parsed, tz) -%}
    case
        {%- if format is none %}
        when {{ has_utc_offset(text) }} then {{ iso_to_utc(text) }}
        {%- endif %}
        when {{ utc_to_local(utc, zone) }} = {{ parsed }} then {{ utc }}
    end as {{ name }},
    case
        {%- if format is none %}
        when {{ has_utc_offset(text) }} then null
        {%- endif %}
        when {{ utc_to_local(utc, zone) }} <> {{ parsed }} then 'nonexistent_local_time'
        when {{ utc_to_local(utc ~ " - interval '1 hour'", zone) }} = {{ parsed }} then 'ambiguous_local_time'
    end as {{ name }}__problem,
    {%- endif %}
    {{ raw }} as {{ name }}__raw
{%- endmacro %}

{% macro epoch_column(raw, name) -%}
    {{ from_epoch_seconds('try_cast(' ~ blank_to_null(raw) ~ ' as double)') }} as {{ name }},
    {{ raw }} as {{ name }}__raw
{%- endmacro %}

{% macro date_column(raw, name, format=none) -%}
    {%- if format is none -%}
    try_cast({{ blank_to_null(raw) }} as date) as {{ name }},
    {%- elif format is string -%}
    cast(try_strptime({{ blank_to_null(raw) }}, '{{ format }}') as date) as {{ name }},
    {%- else -%}
    cast(try_strptime({{ blank_to_null(raw) }}, ['{{ format | join("', '") }}']) as date) as {{ name }},
    {%- endif %}
    {{ raw }} as {{ name }}__raw
{%- endmacro %}

{#- A number as text with a point for its decimal mark; the feed's contract casts it to its own type and says so where that
    fails (a generous decimal type in between would cost fifty times the cast). `decimal`: the source's decimal mark.
    Grouping marks are not accepted: 1.234 and 1,234 cannot be told apart. -#}
{% macro number_column(raw, name, decimal='.') -%}
    {%- if decimal == '.' -%}
    {{ raw }} as {{ name }}
    {%- else -%}
    case when contains({{ raw }}, '.') then concat('not a number: ', {{ raw }}) else replace({{ raw }}, '{{ decimal }}', '.') end as {{ name }}
    {%- endif -%}
{%- endmacro %}

{% macro boolean_column(raw, name, true_values=['true', 't', 'yes', 'y', '1', '是'], false_values=['false', 'f', 'no', 'n', '0', '否']) -%}
    case
        when lower({{ blank_to_null(raw) }}) in ('{{ true_values | join("', '") }}') then true
        when lower({{ blank_to_null(raw) }}) in ('{{ false_values | join("', '") }}') then false
    end as {{ name }},
    {{ raw }} as {{ name }}__raw
{%- endmacro %}

{#- Codes of a source -> values of the feed. A code that is not listed goes through as it is and is judged by the
    feed's contract (flagged or quarantined), so a new code is seen on the first day. -#}
{% macro map_values(raw, name, values) -%}
    case lower({{ blank_to_null(raw) }})
        {%- for code, value in values.items() %}
        when '{{ code | lower | replace("'", "''") }}' then {{ "null" if value is none else "'" ~ value ~ "'" }}
        {%- endfor %}
        else {{ blank_to_null(raw) }}
    end as {{ name }}
{%- endmacro %}

{#- Version of a row: when the source last changed it, in microseconds, so that the newest can be told. A text that is no
    time leaves the row without a version (the oldest, then) and is flagged `version:invalid`. -#}
{% macro version_column(raw, format=none) -%}
    {{ epoch_micros(iso_to_utc(blank_to_null(raw)) if format is none else "try_strptime(" ~ blank_to_null(raw) ~ ", '" ~ format ~ "')") }} as _version,
    {{ raw }} as _version__raw
{%- endmacro %}

{#- The lines of a log that has no key, with one: `log_row_id`, all columns and the ordinal among equal lines of one file, so
    that the same lines sent twice give the same keys and two equal lines of one file stay two. Stands after `from`.
    Equal lines are few: only they are numbered, since a window over a whole log costs more than everything else.
    The joins keep `_file_id` on both sides, so that "newer files only" reaches all three reads of the table. -#}
{% macro log_lines(relation, columns) -%}
    {%- set quoted = [] -%}
    {%- for column in columns -%} {%- do quoted.append('"' ~ column ~ '"') -%} {%- endfor -%}
    (
        with doubles as (
            select
                _file_id,
                {{ quick_hash(quoted) }} as line_hash
            from {{ relation }}
            group by _file_id, {{ quick_hash(quoted) }}
            having count(*) > 1
        ),

        candidates as (
            select
                lines._file_id,
                lines._record_number,
                {{ _line_md5(quoted) }} as line_md5
            from {{ relation }} as lines
            inner join doubles
                on lines._file_id = doubles._file_id and {{ quick_hash(quoted) }} = doubles.line_hash
        ),

        ordinals as (
            select
                _file_id,
                _record_number,
                row_number() over (partition by _file_id, line_md5 order by _record_number) as ordinal
            from candidates
        )

        select
            lines.*,
            concat({{ _line_md5(quoted) }}, '-', coalesce(ordinals.ordinal, 1)) as log_row_id
        from {{ relation }} as lines
        left join ordinals
            on lines._file_id = ordinals._file_id and lines._record_number = ordinals._record_number
    )
{%- endmacro %}

{% macro _line_md5(columns) -%}
    md5(concat_ws('|', {% for column in columns %}coalesce({{ column }}, ''){{ ', ' if not loop.last }}{% endfor %}))
{%- endmacro %}

{#- Newest row of each key of a small raw table that a staging model only looks things up in (`keys`: none of them blank). Join
    it with a left join on all of its keys: it then neither drops nor multiplies rows. Name the table in the model's
    `config(meta={'lookups': ['<source>.<table>']})`: what was received earlier is then read again when the table changes. -#}
{% macro newest_rows(relation, keys) -%}
    select *
    from (
        select
            *,
            row_number() over (partition by {{ keys | join(', ') }} order by _delivery desc, _file_id desc, _record_number desc) as newest_first
        from {{ relation }}
        where _problem is null
    ) as versions
    where newest_first = 1
{%- endmacro %}

{#- The load facts that every staging model passes on. `table`: the raw table they come from; `alias`: its name in a join. -#}
{% macro load_facts(table, alias=none) -%}
    {%- set prefix = '' if alias is none else alias ~ '.' -%}
    '{{ table }}' as _table,
    {{ prefix }}_file_id,
    {{ prefix }}_record_number,
    {{ prefix }}_delivery,
    {{ prefix }}_loaded_at,
    {{ prefix }}_problem
{%- endmacro %}
