{#- Body of every `int_<feed>__received`: all rows that the enabled sources supply for one feed, typed as the feed's
    contract (the columns of the model's own YAML) says, each with the reasons why it cannot be used and the flags it
    carries. Nothing is dropped and nothing becomes null in silence.

    Contract options, under `config.meta` of a column: `required`, `values` with `unknown: quarantine | flag`,
    `min`, `max`. Under `config.meta` of the model: `key`, `event_time`, `rules` (name, quarantine_when). -#}

{% macro sources_of_feed(feed) -%}
    {%- set names = [] -%}
    {%- for source_name, feeds in var('sources').items() -%}
        {%- if feed in feeds -%} {%- do names.append(source_name) -%} {%- endif -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}

{% macro feed_received() -%}
    {%- set feed = model.name | replace('int_', '', 1) | replace('__received', '') -%}
    {%- set relations = {} -%}
    {%- for source_name in sources_of_feed(feed) -%}
        {%- do relations.update({source_name: ref('stg_' ~ source_name ~ '__' ~ feed)}) -%}
    {%- endfor -%}
    {%- if execute -%}
        {{ _received_sql(relations) }}
    {%- else -%}
        select 1 as parsed_only
    {%- endif -%}
{%- endmacro %}

{% macro _received_sql(relations) -%}
    {%- set contract = model.columns.values() | list -%}
    {%- set event_time = model.config.meta.event_time -%}
    {%- set rules = model.config.meta.get('rules', []) -%}
    {%- set blocks = [] -%}
    {%- for source_name, relation in relations.items() -%}
        {%- do blocks.append(_typed_source_sql(source_name, relation, contract)) -%}
    {%- endfor -%}
    {%- if not blocks -%}
        {%- do blocks.append(_nothing_received_sql(contract)) -%}
    {%- endif %}
with typed as (
    {{ blocks | join('\n    union all by name\n') }}
),

judged as (
    select
        *,
        {{ _reasons_sql(contract, event_time, rules) }} as _contract_reasons,
        {{ _flags_sql(contract) }} as _contract_flags
    from typed
),

finished as (
    select
        source,
        {%- for column in contract %}
        {%- set meta = column.config.get('meta', {}) %}
        {%- if meta.get('values') and meta.get('unknown') == 'flag' %}
        case when {{ column.name }} in ({{ _text_list(meta['values']) }}) or {{ column.name }} is null then {{ column.name }} else 'unknown' end as {{ column.name }},
        {%- else %}
        {{ column.name }},
        {%- endif %}
        {%- endfor %}
        _table,
        _file_id,
        _record_number,
        _sub_record,
        _delivery,
        _version,
        _loaded_at,
        _is_deleted,
        {%- if event_time %}
        coalesce(cast({{ event_time }} as date), date '1900-01-01') as _partition_date,
        {%- else %}
        date '1900-01-01' as _partition_date,
        {%- endif %}
        {{ lists_together('_cast_reasons', '_contract_reasons') }} as _reasons,
        {{ lists_together('_cast_flags', '_contract_flags') }} as _flags
    from judged
)

select
    finished.*,
    {{ key_hash(model.config.meta.key, 'finished') }} as _key_hash
from finished
{%- endmacro %}

{% macro _text_list(values) -%} '{{ values | join("', '") }}' {%- endmacro %}

{% macro _typed_source_sql(source_name, relation, contract) -%}
    {%- set supplied = {} -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- do supplied.update({column.name: column.dtype | lower}) -%}
    {%- endfor -%}
    {%- for name in supplied -%}
        {%- set base = name | replace('__raw', '') | replace('__problem', '') -%}
        {%- if not name.startswith('_') and base not in contract | map(attribute='name') | list -%}
            {{ exceptions.raise_compiler_error(relation.identifier ~ " supplies the column '" ~ name ~ "', which the contract of " ~ model.name ~ " does not have. Rename it to one of: " ~ contract | map(attribute='name') | join(', ')) }}
        {%- endif -%}
    {%- endfor -%}
    {%- set reasons = ["case when _problem is not null then 'record:damaged' end"] -%}
    {%- set flags = [] %}
    select
        '{{ source_name }}' as source,
        {%- for column in contract %}
        {%- set name = column.name -%}
        {%- if name not in supplied %}
        cast(null as {{ column.data_type }}) as {{ name }},
        {%- elif supplied[name] in ['varchar', 'text', 'string'] and column.data_type != 'varchar' %}
        {%- do reasons.append("case when " ~ blank_to_null('stg.' ~ name) ~ " is not null and (" ~ try_cast_to(blank_to_null('stg.' ~ name), column.data_type) ~ ") is null then '" ~ name ~ ":invalid' end") %}
        {{ try_cast_to(blank_to_null('stg.' ~ name), column.data_type) }} as {{ name }},
        {%- elif column.data_type == 'varchar' %}
        {{ blank_to_null('cast(stg.' ~ name ~ ' as varchar)') }} as {{ name }},
        {%- else %}
        cast(stg.{{ name }} as {{ column.data_type }}) as {{ name }},
        {%- endif -%}
        {%- if name ~ '__problem' in supplied %}
            {%- do reasons.append("case when stg." ~ name ~ "__problem = 'nonexistent_local_time' then '" ~ name ~ ":nonexistent_local_time' end") %}
            {%- do flags.append("case when stg." ~ name ~ "__problem = 'ambiguous_local_time' then '" ~ name ~ ":ambiguous_local_time' end") %}
        {%- endif -%}
        {%- if name ~ '__raw' in supplied %}
            {%- set unless = " and stg." ~ name ~ "__problem is null" if name ~ '__problem' in supplied else "" %}
            {%- do reasons.append("case when " ~ blank_to_null('stg.' ~ name ~ '__raw') ~ " is not null and stg." ~ name ~ " is null" ~ unless ~ " then '" ~ name ~ ":invalid' end") %}
        {%- endif -%}
        {%- endfor %}
        stg._table,
        stg._file_id,
        stg._record_number,
        {{ 'cast(stg._sub_record as integer)' if '_sub_record' in supplied else '0' }} as _sub_record,
        stg._delivery,
        {%- if '_version__raw' in supplied -%}
            {%- do flags.append("case when " ~ blank_to_null('stg._version__raw') ~ " is not null and stg._version is null then 'version:invalid' end") %}
        {%- endif %}
        {{ 'cast(stg._version as bigint)' if '_version' in supplied else 'cast(null as bigint)' }} as _version,
        stg._loaded_at,
        {{ 'coalesce(stg._is_deleted, false)' if '_is_deleted' in supplied else 'false' }} as _is_deleted,
        {{ list_without_nulls(reasons) }} as _cast_reasons,
        {{ list_without_nulls(flags) }} as _cast_flags
    from {{ relation }} as stg
    {%- if is_incremental() %}
    where stg._file_id > {{ watermark() }}
    {%- endif %}
{%- endmacro %}

{% macro _nothing_received_sql(contract) %}
    select
        cast(null as varchar) as source,
        {%- for column in contract %}
        cast(null as {{ column.data_type }}) as {{ column.name }},
        {%- endfor %}
        cast(null as varchar) as _table,
        cast(null as bigint) as _file_id,
        cast(null as bigint) as _record_number,
        cast(null as integer) as _sub_record,
        cast(null as varchar) as _delivery,
        cast(null as bigint) as _version,
        cast(null as timestamp) as _loaded_at,
        false as _is_deleted,
        cast([] as varchar[]) as _cast_reasons,
        cast([] as varchar[]) as _cast_flags
    where false
{%- endmacro %}

{#- A damaged record has one reason, its damage: the columns it could not fill are no findings of their own. -#}
{% macro _reasons_sql(contract, event_time, rules) -%}
    {%- set reasons = [] -%}
    {%- for column in contract -%}
        {%- set name = column.name -%}
        {%- set meta = column.config.get('meta', {}) -%}
        {%- if meta.get('required') -%}
            {%- do reasons.append("case when " ~ name ~ " is null and not list_contains(_cast_reasons, '" ~ name ~ ":invalid') and not list_contains(_cast_reasons, '" ~ name ~ ":nonexistent_local_time') then '" ~ name ~ ":missing' end") -%}
        {%- endif -%}
        {%- if meta.get('values') and meta.get('unknown', 'quarantine') == 'quarantine' -%}
            {%- do reasons.append("case when " ~ name ~ " not in (" ~ _text_list(meta['values']) ~ ") then '" ~ name ~ ":unknown_value' end") -%}
        {%- endif -%}
        {%- if meta.get('min') is not none and 'min' in meta -%}
            {%- do reasons.append("case when " ~ name ~ " < " ~ meta['min'] ~ " then '" ~ name ~ ":below_minimum' end") -%}
        {%- endif -%}
        {%- if 'max' in meta -%}
            {%- do reasons.append("case when " ~ name ~ " > " ~ meta['max'] ~ " then '" ~ name ~ ":above_maximum' end") -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if event_time -%}
        {%- do reasons.append("case when cast(" ~ event_time ~ " as timestamp) > _loaded_at + interval '1 day' then '" ~ event_time ~ ":in_future' end") -%}
        {%- do reasons.append("case when " ~ event_time ~ " < date '1970-01-02' then '" ~ event_time ~ ":before_1970' end") -%}
    {%- endif -%}
    {%- for rule in rules -%}
        {%- do reasons.append("case when " ~ rule['quarantine_when'] ~ " then 'rule:" ~ rule['name'] ~ "' end") -%}
    {%- endfor -%}
    case
        when list_contains(_cast_reasons, 'record:damaged') then cast([] as varchar[])
        else {{ list_without_nulls(reasons) }}
    end
{%- endmacro %}

{% macro _flags_sql(contract) -%}
    {%- set flags = [] -%}
    {%- for column in contract -%}
        {%- set meta = column.config.get('meta', {}) -%}
        {%- if meta.get('values') and meta.get('unknown') == 'flag' -%}
            {%- do flags.append("case when " ~ column.name ~ " not in (" ~ _text_list(meta['values']) ~ ") then '" ~ column.name ~ ":unknown_value' end") -%}
        {%- endif -%}
    {%- endfor -%}
    {{ list_without_nulls(flags) }}
{%- endmacro %}
