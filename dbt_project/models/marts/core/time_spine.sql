{{ config(materialized='view') }}

select day from {{ ref('dim_calendar') }}
