{#- 97.5th percentile of Student's t by its degrees of freedom (Cornish-Fisher expansion in 1 / df: Abramowitz and Stegun 26.7.5). Right to three digits from 3
    degrees of freedom on; null below 1. -#}
{% macro t_975(df) -%}
    case when {{ df }} >= 1 then 1.959964 + 2.372271 / {{ df }} + 2.822500 / power({{ df }}, 2) + 2.555850 / power({{ df }}, 3) + 1.589534 / power({{ df }}, 4) end
{%- endmacro %}

{#- Standard error of a ratio of two sums over n rows by linearisation (Cochran 1977, 6.4); null below 2 rows. -#}
{% macro ratio_error(y, x, yy, xy, xx, n) -%}
    sqrt(greatest(0.0, {{ yy }} - 2 * ({{ y }} / {{ x }}) * {{ xy }} + power({{ y }} / {{ x }}, 2) * {{ xx }}) * {{ n }} / nullif({{ n }} - 1, 0)) / {{ x }}
{%- endmacro %}
