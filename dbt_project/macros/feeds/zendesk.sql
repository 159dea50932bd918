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
