{%- set causes = cause_taxonomy() %}

-- The tree of causes as people edit it, for readers of the snapshot.
select
    taxonomy.code as root_cause,
    taxonomy.parent as parent_cause,
    taxonomy.owner,
    taxonomy.cause_type,
    taxonomy.is_people as is_people_cause,
    taxonomy.resolution_codes,
    taxonomy.name_en,
    taxonomy.name_zh,
    taxonomy.example_en,
    taxonomy.example_zh,
    taxonomy.is_active
from {{ ref('cause_taxonomy') }} as taxonomy
