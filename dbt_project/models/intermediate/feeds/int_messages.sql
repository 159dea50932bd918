{{ config(materialized='incremental') }}

{{ feed_versions(ref('int_messages__received')) }}
