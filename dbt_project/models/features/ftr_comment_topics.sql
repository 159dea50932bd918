{%- set topics = comment_topics('text', 'text_language') %}
-- Which topics the comment of a response has. The text itself stays where it is: only the topics leave this query.
with comments as (
    select
        source,
        response_id,
        case
            when {{ has_han('comment') }} then 'zh'
            when coalesce(language, 'zh') = 'zh' or starts_with(language, 'zh-') then 'unknown'
            else lower(split_part(language, '-', 1))
        end as text_language,
        lower({{ folded('comment') }}) as text
    from {{ ref('int_survey_responses') }}
    where _status = 'used' and trim(coalesce(comment, '')) <> ''
),

found as (
    {%- for topic in topics %}
    select
        source,
        response_id,
        '{{ topic.topic }}' as topic,
        {{ topic.priority }} as priority
    from comments
    where {{ topic.conditions | join(' or ') }}
    union all
    {%- endfor %}
    select
        source,
        response_id,
        'unknown' as topic,
        2147483647 as priority
    from comments
),

ranked as (
    select
        source,
        response_id,
        topic,
        row_number() over (partition by source, response_id order by priority, topic) as topic_rank,
        count(*) over (partition by source, response_id) - 1 as topics
    from found
)

-- "unknown" is the last of all, and there only where nothing else was found.
select
    source,
    response_id,
    topic,
    cast(topic_rank as integer) as topic_rank,
    cast(topics as integer) as topics
from ranked
where topic <> 'unknown' or topics = 0
