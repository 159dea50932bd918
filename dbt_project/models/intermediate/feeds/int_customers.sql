{{ config(materialized='table') }}

{{ feed_versions(ref('int_customers__received')) }}
