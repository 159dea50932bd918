{#- Topics of seeds/comment_topics.csv with the condition under which a comment has each, as a list of {topic, priority, condition}. The lines are read
    when the model is compiled: a pattern that is a constant is compiled once, one that comes from a join once for each comment.

    text: comment in small letters and half-width forms. language: language of the text, `unknown` = every pattern is tried. -#}
{% macro comment_topics(text, language) -%}
    {%- set seed = ref('comment_topics') -%}
    {%- set topics = [] -%}
    {%- if execute -%}
        {%- set found = run_query("select topic, min(priority) over (partition by topic) as priority, coalesce(language, 'any') as language, pattern from " ~ seed ~ " order by 2, 1, 3, 4") -%}
        {%- set conditions = {} -%}
        {%- for line in found.rows -%}
            {%- set pattern = "'" ~ line['pattern'] | replace("'", "''") ~ "'" -%}
            {%- set fits = matches_pattern(text, pattern) -%}
            {%- if line['language'] != 'any' -%}
                {%- set fits = "(" ~ language ~ " in ('" ~ line['language'] | replace("'", "''") ~ "', 'unknown') and " ~ fits ~ ")" -%}
            {%- endif -%}
            {%- if line['topic'] not in conditions -%}
                {%- do conditions.update({line['topic']: []}) -%}
                {%- do topics.append({'topic': line['topic'] | replace("'", "''"), 'priority': line['priority'], 'conditions': conditions[line['topic']]}) -%}
            {%- endif -%}
            {%- do conditions[line['topic']].append(fits) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(topics) }}
{%- endmacro %}
