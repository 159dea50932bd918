select
    changes.change_number,
    changes.source,
    changes.customer_id,
    changes.change,
    changes.from_key,
    changes.to_key,
    changes.reason,
    changes.file_id,
    changes.changed_at
from {{ identity_state('key_changes') }} as changes
