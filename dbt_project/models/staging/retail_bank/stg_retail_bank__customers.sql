{{ config(enabled='retail_bank' in var('sources')) }}

select
    client_id as customer_id,
    case when _problem is null then 'person' end as customer_kind,
    concat_ws(' ', first, middle, last) as customer_name,
    concat_ws(', ', city, state) as region,
    concat_ws(' ', address_1, {{ blank_to_null('address_2') }}, city, state, zipcode) as address,
    'district-' || {{ blank_to_null('district_id') }} as org_unit_id,
    {{ date_column('fulldate', 'birth_date', '%m/%d/%Y') }},
    {{ load_facts('clients') }}
from {{ source('retail_bank', 'clients') }}
