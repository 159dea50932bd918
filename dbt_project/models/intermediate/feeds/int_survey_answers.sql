{{ config(materialized='incremental') }}

{{ feed_versions(ref('int_survey_answers__received')) }}
