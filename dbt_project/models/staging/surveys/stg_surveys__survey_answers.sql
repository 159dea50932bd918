{{ config(enabled='surveys' in var('sources'), meta={'lookups': ['surveys.questions']}) }}

-- The questionnaire says what a question measures, its scale and which codes mean "no answer"; its newest delivery counts.
-- A blank code that lies on the scale is an answer: 11 of 100 points are points, 11 on a scale of 1 to 5 is "not applicable".
with questions as (
    {{ newest_rows(source('surveys', 'questions'), ['survey_id', 'question_id']) }}
),

joined as (
    select
        answers.*,
        {{ blank_to_null('answers.value') }} as answer,
        concat(';', questions.blank_codes, ';') like concat('%;', trim(answers.value), ';%')
        and not coalesce(
            try_cast(answers.value as double) between try_cast(questions.scale_min as double) and try_cast(questions.scale_max as double),
            false
        ) as is_blank_code,
        questions.role,
        questions.construct,
        questions.item_no,
        questions.text_en,
        questions.scale_min,
        questions.scale_max,
        {{ blank_to_null('questions.reversed') }} as is_reversed
    from {{ source('surveys', 'answers') }} as answers
    left join questions
        on answers.survey_id = questions.survey_id and answers.question_id = questions.question_id
),

final as (
    select
        response_id,
        question_id,
        {{ map_values('role', 'question_role', {'index': 'index_item'}) }},
        construct,
        item_no as item,
        text_en as question_text,
        {{ timestamp_column('submitted_at', 'responded_at', tz='America/New_York', format='%m/%d/%Y %I:%M:%S %p') }},
        case when not coalesce(is_blank_code, false) then answer end as answer_value,
        answer as answer_text,
        case
            when answer is null then 'blank'
            when is_blank_code and answer = '99' then 'refused'
            when is_blank_code then 'not_applicable'
        end as blank_kind,
        scale_min,
        scale_max,
        case lower(is_reversed) when 'y' then false when 'n' then true end as higher_is_better,
        is_reversed as higher_is_better__raw,
        {{ load_facts('answers') }}
    from joined
)

select * from final
