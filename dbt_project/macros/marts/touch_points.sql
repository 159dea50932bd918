{#- The touch point of a row: that of the line of seeds/touch_points.csv with the lowest precedence that fits it, else unknown. The
    lines are read when the model is compiled and become one `case`: ten million rows need no join, and no second pass.

    kind: call, message or ticket. columns: expression for each condition of the seed; a line that asks for one that is not given never
    fits. A condition fits a whole value, or by its beginning followed by `*`; an empty one fits anything. -#}
{% macro touch_point_of(kind, columns) -%}
    {%- set seed = ref('touch_points') -%}
    {%- set branches = [] -%}
    {%- if execute -%}
        {%- set conditions = ['source', 'said', 'channel', 'line', 'queue', 'org_unit'] -%}
        {%- set found = run_query("select " ~ conditions | join(', ') ~ ", touch_point from " ~ seed ~ " where contact_kind is null or contact_kind = '" ~ kind ~ "' order by precedence") -%}
        {%- for line in found.rows -%}
            {%- set tests = [] -%}
            {%- for condition in conditions if line[condition] is not none -%}
                {%- do tests.append(_fits(columns.get(condition), line[condition])) -%}
            {%- endfor -%}
            {%- do branches.append("when " ~ (tests | join(' and ') or 'true') ~ " then '" ~ line['touch_point'] | replace("'", "''") ~ "'") -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if branches -%}
    case
        {%- for branch in branches %}
        {{ branch }}
        {%- endfor %}
        else 'unknown'
    end
    {%- else -%}
    'unknown'
    {%- endif -%}
{%- endmacro %}

{% macro _fits(expression, wanted) -%}
    {%- set text = wanted | string | replace("'", "''") -%}
    {%- if expression is none -%}
        false
    {%- elif text == '*' -%}
        {{ expression }} is not null
    {%- elif text.endswith('*') -%}
        starts_with({{ expression }}, '{{ text[:-1] }}')
    {%- else -%}
        {{ expression }} = '{{ text }}'
    {%- endif -%}
{%- endmacro %}

{#- One row per ticket or call that rows of a survey name, with its touch point. An id that two sources have names none.
    surveyed: relation with about_kind and about_id. -#}
{% macro touch_points_of_subjects(surveyed) -%}
    select
        'ticket' as about_kind,
        tickets.ticket_id as about_id,
        min(tickets.touch_point) as touch_point
    from {{ ref('int_ticket_facts') }} as tickets
    where tickets.ticket_id in (select surveyed.about_id from {{ surveyed }} as surveyed where surveyed.about_kind = 'ticket')
    group by tickets.ticket_id
    having count(*) = 1
    union all
    select
        'call' as about_kind,
        calls.call_id as about_id,
        min(calls.touch_point) as touch_point
    from {{ ref('int_call_facts') }} as calls
    where calls.call_id in (select surveyed.about_id from {{ surveyed }} as surveyed where surveyed.about_kind = 'call')
    group by calls.call_id
    having count(*) = 1
{%- endmacro %}
