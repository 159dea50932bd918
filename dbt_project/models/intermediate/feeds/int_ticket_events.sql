{{ config(materialized='incremental') }}

{{ feed_versions(ref('int_ticket_events__received')) }}
