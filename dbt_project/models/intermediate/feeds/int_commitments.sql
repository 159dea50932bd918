{{ config(materialized='table') }}

{{ feed_versions(ref('int_commitments__received')) }}
