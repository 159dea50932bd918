{{ config(materialized='incremental') }}

{{ feed_received() }}
