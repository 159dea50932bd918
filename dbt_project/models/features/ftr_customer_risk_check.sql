-- The newest past day of `ftr_customer_risk`, looked at again after everything that came later was taken out of the inputs.
{{ config(materialized='table') }}
-- depends_on: {{ ref('ftr_customer_risk') }}
{{ risk_features("(select max(r.as_of) as cut from " ~ ref('ftr_customer_risk') ~ " as r where not r.is_current)") }}
