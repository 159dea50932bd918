{{ config(enabled='surveys' in var('sources')) }}

-- The questionnaire says what a question measures, its scale and which codes mean "no answer"; its newest delivery counts.
with questions as (
    select *
    from {{ source('surveys', 'questions') }}
    where _problem is null
    qualify row_number() over (partition by survey_id, question_id order by _delivery desc, _file_id desc, _record_number desc) = 1
),

answers as (
    select
        answers.*,
        {{ blank_to_null('answers.value') }} is null as is_blank,
        list_contains(string_split(questions.blank_codes, ';'), trim(answers.value)) as is_blank_code,
        questions.role,
        questions.construct,
        questions.text_en,
        questions.scale_min,
        questions.scale_max,
        questions.reversed
    from {{ source('surveys', 'answers') }} as answers
    left join questions
        on answers.survey_id = questions.survey_id and answers.question_id = questions.question_id
)

select
    response_id,
    question_id,
    {{ map_values('role', 'question_role', {'index': 'index_item'}) }},
    construct,
    text_en as question_text,
    {{ timestamp_column('submitted_at', 'responded_at', tz='America/New_York', format='%m/%d/%Y %I:%M:%S %p') }},
    case when not coalesce(is_blank_code, false) then value end as answer_value,
    value as answer_text,
    case
        when is_blank then 'blank'
        when is_blank_code and trim(value) = '99' then 'refused'
        when is_blank_code then 'not_applicable'
    end as blank_kind,
    scale_min,
    scale_max,
    case when role is not null then coalesce(reversed, '') <> 'Y' end as higher_is_better,
    {{ load_facts('answers') }}
from answers
