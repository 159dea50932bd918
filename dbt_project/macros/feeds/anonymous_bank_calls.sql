{#- The calls of the anonymous bank with the times of their steps in the bank's own clock. `relation`: the raw calls.

    A file gives one day and times of day. A step that stands more than half a day before the call's beginning happened
    after midnight. 0:00:00 says "did not happen" when both ends of a step say it; one call joined the queue at midnight itself. -#}
{% macro bank_call_steps(relation) -%}
    select
        calls.*,
        {{ blank_to_null('vru_line') }} || '-' || {{ blank_to_null('call_id') }} as call_key,
        coalesce(ltrim(concat(q_start, q_exit), '0:'), '') <> '' as was_queued,
        coalesce(ltrim(concat(ser_start, ser_exit), '0:'), '') <> '' as was_served,
        {{ _bank_time('vru_entry') }} as entered_at,
        {{ _bank_time('vru_exit') }} as left_vru_at,
        case when coalesce(ltrim(concat(q_start, q_exit), '0:'), '') <> '' then {{ _bank_time('q_start') }} end as queued_at,
        case when coalesce(ltrim(concat(q_start, q_exit), '0:'), '') <> '' then {{ _bank_time('q_exit') }} end as left_queue_at,
        case when coalesce(ltrim(concat(ser_start, ser_exit), '0:'), '') <> '' then {{ _bank_time('ser_start') }} end as served_from,
        case when coalesce(ltrim(concat(ser_start, ser_exit), '0:'), '') <> '' then {{ _bank_time('ser_exit') }} end as served_until
    from {{ relation }} as calls
{%- endmacro %}

{% macro _bank_time(column) -%}
    {%- set entered = "try_strptime(concat(date, ' ', vru_entry), '%y%m%d %H:%M:%S')" -%}
    {%- set step = "try_strptime(concat(date, ' ', " ~ column ~ "), '%y%m%d %H:%M:%S')" -%}
    case when {{ step }} < {{ entered }} - interval '12 hours' then {{ step }} + interval '1 day' else {{ step }} end
{%- endmacro %}
