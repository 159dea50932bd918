{{ config(materialized='incremental') }}

{{ feed_versions(ref('int_survey_invitations__received')) }}
