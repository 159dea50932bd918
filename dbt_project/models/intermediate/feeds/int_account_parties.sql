{{ config(materialized='table') }}

{{ feed_versions(ref('int_account_parties__received')) }}
