{{ config(materialized='table') }}

{{ feed_versions(ref('int_org_units__received')) }}
