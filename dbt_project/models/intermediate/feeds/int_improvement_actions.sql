{{ config(materialized='table') }}

{{ feed_versions(ref('int_improvement_actions__received')) }}
