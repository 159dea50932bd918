{{ config(enabled='crm' in var('sources')) }}

select
    客户编号 as customer_id,
    {{ map_values('客户类型', 'customer_kind', {'个人': 'person', '家庭': 'household', '企业': 'enterprise'}) }},
    客户名称 as customer_name,
    所属省份 as region,
    机构编码 as org_unit_id,
    行业 as industry,
    归属客户 as parent_customer_id,
    出生日期 as birth_date,
    {{ map_values('语言', 'language', {'中文': 'zh', '英文': 'en'}) }},
    入网日期 as customer_since,
    {{ load_facts('customers') }}
from {{ source('crm', 'customers') }}
