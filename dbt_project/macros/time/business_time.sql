{#- Business time: opening hours of a wall clock as instants, and time open up to an instant. -#}

{#- Instant at which the wall clock of a zone shows a local time: of a time that happens twice the later one, of one that a clock
    change skips the first instant after it. So hours that touch on the wall clock touch as instants, whatever the clock does. -#}
{% macro wall_clock_to_utc(local_timestamp, time_zone_sql) -%}
    {%- set utc = local_to_utc_of(local_timestamp, time_zone_sql) -%}
    case
        when {{ utc_to_local(utc, time_zone_sql) }} = {{ local_timestamp }} then {{ utc }}
        else {{ first_minute_showing(utc, local_timestamp, time_zone_sql) }}
    end
{%- endmacro %}

{#- 'HH:MM' -> minutes after midnight. -#}
{% macro minute_of_day(text) -%}
    cast(split_part({{ text }}, ':', 1) as integer) * 60 + cast(split_part({{ text }}, ':', 2) as integer)
{%- endmacro %}

{#- Microseconds that a schedule has been open until an instant. `opening`: alias of the row of int_schedule_openings that began last
    by then (join_latest). Null for a schedule that the seed does not have. -#}
{% macro open_micros(opening, instant) -%}
    ({{ opening }}.open_before_micros + {{ epoch_micros('least(' ~ instant ~ ', ' ~ opening ~ '.closes_at)') }} - {{ epoch_micros(opening ~ '.opens_at') }})
{%- endmacro %}
