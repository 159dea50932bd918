{{ config(materialized='incremental') }}

{{ feed_versions(ref('int_agent_states__received')) }}
