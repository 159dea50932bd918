{{ config(enabled='sfo_surveys' in var('sources')) }}

-- One wave a year. Respondent numbers begin anew with every wave. 2011 and 2012 have no weights; how the form came back is known since 2013.
{% set parts = [
    ('survey_2010', '2010'), ('survey_2011', '2011'), ('survey_2012', '2012'), ('survey_2013', '2013'), ('survey_2014', '2014'),
    ('survey_2015', '2015'), ('survey_2016', '2016'),
] %}
{% for table, year in parts %}
select
    '{{ year }}-' || {{ blank_to_null('respnum') }} as response_id,
    'sfo_customer_survey' as survey_id,
    'csat' as survey_kind,
    '{{ year }}' as wave,
    {{ map_values('method', 'channel', {'1': 'on_site', '2': 'letter', '3': 'web'}) if year >= '2013' else 'null as channel' }},
    {{ sfo_responded_at(year) }},
    {{ 'null' if year in ['2011', '2012'] else 'weight' }} as base_weight,
    {{ load_facts(table) }}
from {{ source('sfo_surveys', table) }}
{{ 'union all' if not loop.last }}
{% endfor %}
