{{ config(enabled='sfo_surveys' in var('sources')) }}

-- A form unrolled into its ratings: 1 (bad) to 5 (very good), 6 is "never used", 0 and nothing are blank. A question keeps its name over the years,
-- whatever column it stands in.
{% set parts = [
    ('survey_2010', '2010'), ('survey_2011', '2011'), ('survey_2012', '2012'), ('survey_2013', '2013'), ('survey_2014', '2014'),
    ('survey_2015', '2015'), ('survey_2016', '2016'),
] %}
with unrolled as (
    {% for table, year in parts %}
    select
        '{{ year }}-' || {{ blank_to_null('respnum') }} as response_id,
        questions.question_id,
        questions.question_role,
        questions.construct,
        questions.question_text,
        {{ sfo_responded_at(year) }},
        {{ blank_to_null('case questions.number' ~ _sfo_cases(year) ~ ' end') }} as answer,
        questions.number as _sub_record,
        {{ load_facts(table) }}
    from {{ source('sfo_surveys', table) }}
    cross join (
        values
        {% for question in sfo_questions() if year in question.columns %}
        ({{ loop.index0 }}, '{{ question.id }}', '{{ question.get('role', 'rating') }}', '{{ question.construct }}', '{{ question.text }}'){{ ',' if not loop.last }}
        {% endfor %}
    ) as questions (number, question_id, question_role, construct, question_text)
    where _problem is null or questions.number = 0
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    response_id,
    question_id,
    question_role,
    construct,
    question_text,
    responded_at,
    responded_at__problem,
    responded_at__raw,
    case when answer not in ('0', '6') then answer end as answer_value,
    answer as answer_text,
    case when answer = '6' then 'not_applicable' when coalesce(answer, '0') = '0' then 'blank' end as blank_kind,
    1 as scale_min,
    5 as scale_max,
    _sub_record,
    _table,
    _file_id,
    _record_number,
    _delivery,
    _loaded_at,
    _problem
from unrolled
