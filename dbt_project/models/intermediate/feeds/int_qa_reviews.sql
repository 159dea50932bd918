{{ config(materialized='table') }}

{{ feed_versions(ref('int_qa_reviews__received')) }}
