{{ config(materialized='incremental') }}

{{ feed_versions(ref('int_tickets__received')) }}
