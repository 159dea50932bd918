{{ config(enabled='crm' in var('sources')) }}

select
    unit_code as org_unit_id,
    parent_code as parent_unit_id,
    name_zh as unit_name,
    name_en as unit_name_en,
    {{ map_values('level', 'unit_level', {'hq': 'headquarters', 'prov': 'province', 'city': 'city', 'team': 'team'}) }},
    time_zone,
    calendar as calendar_id,
    valid_from,
    valid_to,
    {{ load_facts('org_units') }}
from {{ source('crm', 'org_units') }}
