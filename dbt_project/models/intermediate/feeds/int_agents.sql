{{ config(materialized='table') }}

{{ feed_versions(ref('int_agents__received')) }}
