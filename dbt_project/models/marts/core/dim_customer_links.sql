select
    source,
    customer_id,
    customer_key,
    link_method,
    confidence,
    evidence
from {{ ref('int_customer_links') }}
