{{ config(materialized='table') }}

{{ feed_versions(ref('int_customer_identifiers__received')) }}
