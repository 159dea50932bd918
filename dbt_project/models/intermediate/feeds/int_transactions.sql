{{ config(materialized='incremental') }}

{{ feed_versions(ref('int_transactions__received')) }}
