{{ config(materialized='table') }}

{{ feed_versions(ref('int_subscriptions__received')) }}
