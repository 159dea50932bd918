{#- The causes of seeds/cause_taxonomy.csv as a list of {code, parent, owner, ...}, or an error in words. Read when the model is compiled: a taxonomy that cannot be used stops
    the build before any cause is given, and the last good snapshot stays published. -#}
{% macro cause_taxonomy() -%}
    {%- set seed = ref('cause_taxonomy') -%}
    {%- set facts = ref('cause_facts') -%}
    {%- set rules = ref('cause_rules') -%}
    {%- set causes = [] -%}
    {%- if execute -%}
        {%- set by_code = {} -%}
        {%- set by_resolution = {} -%}
        {%- for line in run_query("select * from " ~ seed ~ " order by code, name_en").rows -%}
            {%- set code = line['code'] or '' -%}
            {%- if code in by_code -%} {{ _broken_cause(code, "it is there twice") }} {%- endif -%}
            {%- if not modules.re.match('[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)*$', code) -%}
                {{ _broken_cause(code, "a code has small letters, digits and underscores, in parts separated by dots") }}
            {%- endif -%}
            {%- if line['owner'] not in ['us', 'partner', 'device', 'customer'] -%}
                {{ _broken_cause(code, "the owner " ~ (line['owner'] or 'without a word') ~ " is none of us, partner, device, customer") }}
            {%- endif -%}
            {%- if line['cause_type'] and line['cause_type'] not in ['value', 'system', 'employee'] -%}
                {{ _broken_cause(code, "cause_type " ~ line['cause_type'] ~ " is none of value, system, employee") }}
            {%- endif -%}
            {%- if line['is_people'] is none or line['is_active'] is none -%} {{ _broken_cause(code, "is_people and is_active are to be true or false") }} {%- endif -%}
            {%- if not line['name_en'] or not line['name_zh'] -%} {{ _broken_cause(code, "it has no name in one of the languages") }} {%- endif -%}
            {%- set codes = (line['resolution_codes'] or '').replace(' ', '').split(';') | select | list -%}
            {%- for resolution in codes -%}
                {%- if resolution != resolution | lower -%} {{ _broken_cause(code, "resolution code " ~ resolution ~ " is not in small letters") }} {%- endif -%}
                {%- if resolution in by_resolution -%} {{ _broken_cause(code, "resolution code " ~ resolution ~ " belongs to " ~ by_resolution[resolution] ~ " too") }} {%- endif -%}
                {%- do by_resolution.update({resolution: code}) -%}
            {%- endfor -%}
            {%- do by_code.update({code: line['parent']}) -%}
            {%- do causes.append({'code': code, 'parent': line['parent'], 'owner': line['owner'], 'is_active': line['is_active'], 'resolutions': codes}) -%}
        {%- endfor -%}
        {%- for cause in causes -%}
            {%- if cause.parent and cause.parent not in by_code -%} {{ _broken_cause(cause.code, "its parent " ~ cause.parent ~ " is no code") }} {%- endif -%}
            {%- set walk = namespace(at=cause.code, steps=0) -%}
            {%- for _ in causes if walk.at -%}
                {%- set walk.at = by_code[walk.at] -%}
                {%- if walk.at and walk.at not in by_code -%} {%- set walk.at = none -%} {%- endif -%}
            {%- endfor -%}
            {%- if walk.at -%} {{ _broken_cause(cause.code, "its parents lead in a circle") }} {%- endif -%}
        {%- endfor -%}
        {%- set wrong = run_query("select 'cause_facts' as seed, cause from " ~ facts ~ " union all select 'cause_rules', cause from " ~ rules ~ " order by 1, 2") -%}
        {%- for line in wrong.rows if line['cause'] not in by_code -%}
            {%- do exceptions.raise_compiler_error("seeds/" ~ line['seed'] ~ ".csv: " ~ (line['cause'] or 'an empty cause') ~ " is no code of seeds/cause_taxonomy.csv.") -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(causes) }}
{%- endmacro %}

{% macro _broken_cause(code, words) -%}
    {%- do exceptions.raise_compiler_error("seeds/cause_taxonomy.csv: " ~ (code or 'a line without a code') ~ ": " ~ words ~ ".") -%}
{%- endmacro %}

{#- Patterns of seeds/cause_rules.csv of active causes in their order: {number, cause, pattern}. -#}
{% macro cause_rules() -%}
    {%- set active = cause_taxonomy() | selectattr('is_active') | map(attribute='code') | list -%}
    {%- set rules = [] -%}
    {%- set seed = ref('cause_rules') -%}
    {%- if execute -%}
        {%- for line in run_query("select * from " ~ seed ~ " where trim(coalesce(pattern, '')) <> '' order by rule_order").rows if line['cause'] in active -%}
            {%- do rules.append({'cause': line['cause'], 'pattern': "'" ~ line['pattern'] | replace("'", "''") ~ "'"}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(rules) }}
{%- endmacro %}

{#- Cause of an agent's resolution code, null without one that is in the taxonomy. -#}
{% macro cause_of_code(code, causes) -%}
    {%- set known = causes | selectattr('is_active') | selectattr('resolutions') | list -%}
    {%- if known -%}
    case {% for cause in known %} when lower(trim({{ code }})) in ({% for one in cause.resolutions %}'{{ one | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor %}) then '{{ cause.code }}'{% endfor %} end
    {%- else -%} cast(null as varchar) {%- endif -%}
{%- endmacro %}

{#- A prepared text without what may be personal in it: addresses of mail and web, every number, and what stands below a greeting at the end. -#}
{% macro without_personal_data(text) -%}
    {%- set unsigned = "regexp_replace(" ~ text ~ ", '(best regards|kind regards|regards,|yours sincerely|yours faithfully|sent from my|此致|来自我的|來自我的).{0,300}$', '')" -%}
    {%- set unlinked = "regexp_replace(" ~ unsigned ~ ", '(https?://|www[.])[^ ]+|[^ @]{1,64}@[^ @]{1,255}', ' ', 'g')" -%}
    regexp_replace({{ unlinked }}, '[0-9]+', ' ', 'g')
{%- endmacro %}

{#- What an action against a cause is measured by: the root cause of a case of `fct_complaint_causes`, its topic where none is known. -#}
{% macro root_cause_or_topic(causes) -%} coalesce(nullif({{ causes }}.root_cause, 'unknown'), {{ causes }}.symptom) {%- endmacro %}
