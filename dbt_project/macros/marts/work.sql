{#- Time from one step of a ticket to a later one, whole seconds; null where a step is missing or the later one lies before the earlier. -#}
{% macro span_seconds(earlier, later) -%}
    case when {{ later }}_at >= {{ earlier }}_at then {{ seconds_between(earlier ~ '_at', later ~ '_at') }} end
{%- endmacro %}

{#- The same by the ticket's business clock. -#}
{% macro span_business_seconds(earlier, later) -%}
    case when {{ later }}_at >= {{ earlier }}_at then {{ whole_seconds(later ~ '_micros - ' ~ earlier ~ '_micros') }} end
{%- endmacro %}
