select
    org_unit_id,
    coalesce(valid_from, date '1900-01-01') as valid_from,
    coalesce(valid_to, date '9999-12-31') as valid_to,
    source,
    parent_unit_id,
    unit_name,
    coalesce(unit_name_en, unit_name) as unit_name_en,
    unit_level,
    time_zone,
    calendar_id
from {{ ref('int_org_units') }}
where _status = 'used'
