{{ config(materialized='table') }}

{{ feed_versions(ref('int_external_measures__received')) }}
