{#- Incremental models: touched partitions, watermarks and fingerprints.

    A big model is rebuilt only in the partitions (UTC days of the rows' own event time) in which any version of a
    changed key ever lay. `before_model` notes those partitions in meta.touched and deletes them, the model appends their
    new content and `after_model` moves the watermark: one transaction, so a killed run leaves the model as it was.

    A model says in `config(meta={'touched_by': ...})` what touches it:
        partitions_of: feed whose partition dates the model has
        via: further feeds that change its rows, {feed: [their columns, in the order of that feed's key]}
        next_day: true = a row takes in rows of the day before its own
    An `int_<feed>` needs no such entry: its own received rows touch it. `meta={'append_only': true}` says that rows of new
    files are added and nothing is ever taken back.

    A model whose definition changed (its SQL, the macros it calls, its contract, the seeds and models above it, the vars) is
    dropped before the build by `write_expected_fingerprints`, and so built whole. -#}

{% macro meta_table(name) -%} {{ target.database }}.meta.{{ name }} {%- endmacro %}

{% macro create_meta_tables() %}
    {% if execute %}
    {% do run_query("create schema if not exists " ~ target.database ~ ".meta") %}
    {% do run_query("create table if not exists " ~ meta_table('watermarks') ~ " (model varchar, file_id bigint)") %}
    {% do run_query("create table if not exists " ~ meta_table('touched') ~ " (model varchar, _partition_date date)") %}
    {% do run_query("create table if not exists " ~ meta_table('fingerprints') ~ " (model varchar, fingerprint varchar)") %}
    {% do run_query("create table if not exists " ~ meta_table('expected_fingerprints') ~ " (model varchar, fingerprint varchar)") %}
    {#- Whatever this run does, nobody vouches for what it leaves until csatlas has seen it end. #}
    {% do run_query("drop table if exists " ~ meta_table('built')) %}
    {% endif %}
{% endmacro %}

{#- Newest file that the model has taken in, as a number: a subquery in its place would keep the filter from reaching the
    scans below a staging model's joins, and every night would read the whole log. -#}
{% macro watermark() -%}
    {%- if execute -%}
        {%- set found = run_query("select coalesce(max(w.file_id), -1) from " ~ meta_table('watermarks') ~ " as w where w.model = '" ~ model.name ~ "'") -%}
        {{ found.rows[0][0] }}
    {%- else -%}
        -1
    {%- endif -%}
{%- endmacro %}

{#- The partitions that the running increment rebuilds, as `before_model` noted them. -#}
{% macro touched_partitions() -%}
    select t._partition_date from {{ meta_table('touched') }} as t where t.model = '{{ model.name }}'
{%- endmacro %}

{#- All partition dates in which any version of a changed key ever lay. -#}
{% macro _partitions_of_changed_keys() -%}
    {%- set mark = watermark() -%}
    {%- set touched_by = model.config.meta.get('touched_by') -%}
    {%- if not touched_by -%}
        {%- set touched_by = {'partitions_of': feed_of_model()} -%}
    {%- endif -%}
    {%- set feed = touched_by['partitions_of'] -%}
    select distinct r._partition_date
    from {{ received_of(feed) }} as r
    where r._file_id > {{ mark }}
    union
    select distinct r._partition_date
    from {{ received_of(feed) }} as r
    where r._key_hash in (
        select c._key_hash
        from {{ received_of(feed) }} as c
        where c._file_id > {{ mark }}
        {%- for via_feed, columns in touched_by.get('via', {}).items() %}
        union all
        select {{ key_hash(columns, 'v') }}
        from {{ received_of(via_feed) }} as v
        where v._file_id > {{ mark }}
        {%- endfor %}
    )
    union
    select distinct r._partition_date
    from {{ received_of(feed) }} as r
    inner join {{ source('raw_meta', 'tables') }} as t
        on r.source = t.source and r._table = t.table_name
    where
        t.delivery_mode = 'snapshot'
        and exists (
            select 1 from {{ source('raw_meta', 'files') }} as f
            where f.source = t.source and f.table_name = t.table_name and f.status = 'loaded' and f.file_id > {{ mark }}
        )
{%- endmacro %}

{#- The received rows of a feed. A model that reads them through touched_partitions() depends on them through its
    `int_<feed>`, so no ref() is needed here (and none would be seen: hooks are rendered at run time). -#}
{% macro received_of(feed) -%} {{ target.database }}.intermediate.int_{{ feed }}__received {%- endmacro %}

{% macro before_model() -%}
    {%- if execute and model.config.materialized == 'incremental' and is_incremental() and not (model.name.endswith('__received') or model.config.meta.get('append_only')) -%}
        delete from {{ meta_table('touched') }} where model = '{{ model.name }}';
        insert into {{ meta_table('touched') }}
        select '{{ model.name }}', changed._partition_date from ({{ _partitions_of_changed_keys() }}) as changed;
        {%- if model.config.meta.get('touched_by', {}).get('next_day') %}
        insert into {{ meta_table('touched') }}
        select t.model, t._partition_date + 1 from {{ meta_table('touched') }} as t
        where t.model = '{{ model.name }}' and t._partition_date + 1 not in (select d._partition_date from {{ meta_table('touched') }} as d where d.model = '{{ model.name }}');
        {%- endif %}
        delete from {{ this }} where _partition_date in ({{ touched_partitions() }});
    {%- elif execute and model.name == 'score_identity_links' -%}
        {{ forget_identity() }}
    {%- endif -%}
{%- endmacro %}

{#- Deletes the rows of the running increment that have no counterpart in another model of this schema. -#}
{% macro forget_rows_not_in(name, columns) -%}
    {%- if execute and is_incremental() -%}
        delete from {{ this }} where not exists (
            select 1 from {{ target.database }}.intermediate.{{ name }} as kept
            where {% for column in columns %}{{ 'and ' if not loop.first }}kept.{{ column }} = {{ this.identifier }}.{{ column }} {% endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{% macro after_model() -%}
    {%- if execute and model.config.materialized == 'incremental' -%}
        delete from {{ meta_table('watermarks') }} where model = '{{ model.name }}';
        insert into {{ meta_table('watermarks') }}
        select '{{ model.name }}', coalesce(max(files.file_id), -1) from {{ source('raw_meta', 'files') }} as files;
        delete from {{ meta_table('fingerprints') }} where model = '{{ model.name }}';
        insert into {{ meta_table('fingerprints') }}
        select e.model, e.fingerprint from {{ meta_table('expected_fingerprints') }} as e where e.model = '{{ model.name }}';
    {%- endif -%}
{%- endmacro %}
