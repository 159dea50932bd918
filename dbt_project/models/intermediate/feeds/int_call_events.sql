{{ config(materialized='incremental') }}

{{ feed_versions(ref('int_call_events__received')) }}
