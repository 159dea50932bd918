{{ config(materialized='table') }}

{{ feed_versions(ref('int_operational_events__received')) }}
