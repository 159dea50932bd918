{{ config(materialized='table') }}

{{ feed_received() }}
