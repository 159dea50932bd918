-- What stands in the columns of a class is the same for all its invitations, so the model needs no more than the counts.
select
    source,
    survey_id,
    period,
    {{ survey_facts() | join(',\n    ') }},
    invitation_class,
    cast(count(*) as bigint) as sent,
    cast(count(*) filter (where is_delivered) as bigint) as delivered,
    cast(count(*) filter (where is_answered) as bigint) as answered,
    min(sent_on) as first_day,
    greatest(max(sent_on), cast(max(responded_at) as date)) as last_day
from {{ ref('ftr_survey_invitations') }}
group by source, survey_id, period, {{ survey_facts() | join(', ') }}, invitation_class
