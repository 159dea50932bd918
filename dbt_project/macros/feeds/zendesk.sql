{#- Ids of the help desk. Staff have user ids from 7000000000; the organisation's own number of an agent follows from it, so no
    look-up into the users is needed, which would change its answer with every delivery. -#}
{% macro zendesk_agent_id(user_id) -%}
    case
        when {{ user_id }} = '7900000001' then 'bot'
        when {{ user_id }} like '7%' and length({{ user_id }}) = 10 then concat('A', lpad(cast(try_cast({{ user_id }} as bigint) - 7000000000 as varchar), 5, '0'))
    end
{%- endmacro %}

{#- Agents under the organisation's own number, everybody else under the help desk's. -#}
{% macro zendesk_actor_id(user_id) -%} coalesce({{ zendesk_agent_id(user_id) }}, {{ user_id }}) {%- endmacro %}

{% macro zendesk_actor_role(user_id) -%}
    case
        when {{ user_id }} = '-1' then 'system'
        when {{ user_id }} = '7900000001' then 'bot'
        when {{ user_id }} like '7%' and length({{ user_id }}) = 10 then 'agent'
        when {{ user_id }} like '9%' then 'customer'
    end
{%- endmacro %}

{#- Field work stands in ticket fields, whose changes are audited: `custom_visit` holds the number and the stage of the visit
    (`visit_2_arrived`), `custom_appointment` the window promised for it and, where it was moved, who wished so
    (`visit_2_2026-03-02T01:00:00Z/2026-03-02T03:00:00Z_customer`), a field a department whether it was asked
    (`custom_department_network`: asked, answered). -#}
{% macro zendesk_work_kind(field_name, value) -%}
    case
        when {{ field_name }} = 'custom_visit' then case
            when {{ zendesk_visit_stage(value) }} in ('dispatched', 'arrived') then {{ zendesk_visit_stage(value) }}
            when {{ zendesk_visit_stage(value) }} in ('fixed', 'not_fixed', 'no_access', 'cancelled') then 'finished'
            else 'field'
        end
        when {{ field_name }} = 'custom_appointment' and {{ value }} like 'visit_%_%/%' then 'appointed'
        when {{ field_name }} = 'custom_customer_told' and {{ value }} = 'true' then 'customer_told'
        when {{ field_name }} like 'custom_department_%' and {{ value }} in ('asked', 'answered') then concat('department_', {{ value }})
        else 'field'
    end
{%- endmacro %}

{% macro zendesk_visit_stage(value) -%} replace({{ value }}, concat('visit_', split_part({{ value }}, '_', 2), '_'), '') {%- endmacro %}

{#- Beginning (1) or end (2) of the window that a change of `custom_appointment` promises. -#}
{% macro zendesk_window(history, part) -%}
    case when {{ history }}.field_name = 'custom_appointment' then nullif(split_part(split_part({{ history }}.value, '_', 3), '/', {{ part }}), '') end
{%- endmacro %}
