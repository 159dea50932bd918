{{ config(enabled='crm' in var('sources')) }}

-- The sheet is wide; each of its five items becomes a row (a damaged record stays one row).
{% set items = [('用语', 'wording'), ('态度', 'attitude'), ('语气', 'tone'), ('需求把握', 'grasp'), ('应变能力', 'adaptability')] %}
{% for column, item in items %}
select
    质检编号 as review_id,
    '{{ item }}' as item,
    工号 as agent_id,
    {{ map_values('接触类型', 'contact_kind', {'电话': 'call', '工单': 'ticket', '在线': 'chat'}) }},
    接触编号 as contact_id,
    质检员 as reviewer_id,
    机构编码 as org_unit_id,
    {{ column }} as score,
    20.0 as max_score,
    {{ boolean_column('致命差错', 'is_fatal') }},
    {{ timestamp_column('质检时间', 'reviewed_at', tz='Asia/Shanghai', format='%Y/%m/%d %H:%M:%S') }},
    {{ loop.index0 }} as _sub_record,
    {{ load_facts('quality_reviews') }}
from {{ source('crm', 'quality_reviews') }}
{{ 'where _problem is null' if not loop.first }}
{{ 'union all' if not loop.last }}
{% endfor %}
