{#- Schemas are named as the models ask (staging, intermediate, marts, seeds), without the target's prefix:
    one home holds one warehouse, so there is nothing to keep apart. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name is not none else target.schema }}
{%- endmacro %}
