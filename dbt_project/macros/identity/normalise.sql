{#- Full-width letters, digits and signs -> their ASCII forms. Most identifiers have none; to look each of their letters up costs more
    than all the rest of normalising. -#}
{% macro folded(text) -%}
    case
        when {{ is_ascii(text) }} then {{ text }}
        else translate({{ text }},
            '０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ＋－（）＠．＿　',
            '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-()@._ ')
    end
{%- endmacro %}

{#- E.164 form of a telephone number, or null when it has no plausible length. A number without a country code is taken
    to be of `var('default_country_code')`. -#}
{% macro normalised_phone(text) -%}
    {%- set digits = "regexp_replace(regexp_replace(" ~ folded(text) ~ ", '[^0-9+]', '', 'g'), '^00', '+')" -%}
    {%- set code = var('default_country_code') -%}
    case
        when regexp_matches({{ digits }}, '^\+[0-9]{8,15}$') then {{ digits }}
        when regexp_matches({{ digits }}, '^{{ code }}[0-9]{10,11}$') then concat('+', {{ digits }})
        when regexp_matches({{ digits }}, '^0*[1-9][0-9]{7,10}$') then concat('+{{ code }}', ltrim({{ digits }}, '0'))
    end
{%- endmacro %}

{% macro normalised_identifier(kind, value) -%}
    case {{ kind }}
        when 'phone' then {{ normalised_phone(value) }}
        when 'email' then case when {{ folded(value) }} like '%_@_%' then lower(trim({{ folded(value) }})) end
        else nullif(upper(regexp_replace({{ folded(value) }}, '[^0-9A-Za-z]', '', 'g')), '')
    end
{%- endmacro %}

{#- An address that two clerks would write alike: half-width, small letters, no punctuation, single spaces. -#}
{% macro folded_address(text) -%}
    nullif(trim(lower(regexp_replace({{ folded(text) }}, '[\s,.;:#/_()，。；：、（）-]+', ' ', 'g'))), '')
{%- endmacro %}

{#- A table of the linking's own (orchestration/modelling/identity.py), which the model `score_identity_links` keeps up to date. -#}
{% macro identity_state(table) -%}
    {{ ref('score_identity_links') | string | replace('"scores"."score_identity_links"', '"identity"."' ~ table ~ '"') }}
{%- endmacro %}

{#- Before the linking: a full refresh links all at once. What was published and the record of its changes stay. -#}
{% macro forget_identity() -%}
    {%- if flags.FULL_REFRESH -%}
        create schema if not exists {{ target.database }}.identity;
        create table if not exists {{ target.database }}.identity.basis (digest varchar, file_id bigint);
        delete from {{ target.database }}.identity.basis;
    {%- endif -%}
{%- endmacro %}
