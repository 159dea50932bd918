{{ config(enabled='retail_bank' in var('sources')) }}

-- The district file is the whole tree, written flat: each line names its district, the division and region above it, and means the bank at the
-- top. So each gives four units; divisions and regions come once with every district of theirs, of which one is used. Two lines put the division
-- East North Central in another region than the rest, so a division is one of its region, and each line keeps its word. Cities share names.
{% set division = "'division-' || " ~ blank_to_null('region') ~ " || '-' || " ~ blank_to_null('division') %}
{% for number, level, code, parent, name in [
    (0, 'city', "'district-' || " ~ blank_to_null('district_id'), division, "concat_ws(', ', city, state_abbrev)"),
    (1, 'province', division, "'region-' || " ~ blank_to_null('region'), 'division'),
    (2, 'region', "'region-' || " ~ blank_to_null('region'), "'retail-bank'", 'region'),
    (3, 'headquarters', "'retail-bank'", 'null', "'Retail bank'"),
] %}
select
    {{ code }} as org_unit_id,
    {{ parent }} as parent_unit_id,
    {{ name }} as unit_name,
    '{{ level }}' as unit_level,
    'America/New_York' as time_zone,
    {{ number }} as _sub_record,
    {{ load_facts('districts') }}
from {{ source('retail_bank', 'districts') }}
{{ 'where _problem is null' if number > 0 }}
{{ 'union all' if not loop.last }}
{% endfor %}
