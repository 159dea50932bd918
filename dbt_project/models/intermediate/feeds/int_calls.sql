{{ config(materialized='incremental') }}

{{ feed_versions(ref('int_calls__received')) }}
