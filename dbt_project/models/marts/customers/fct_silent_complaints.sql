-- Complaints that stayed without an answer or without a follow-up, and what their customers did from the moment on which that was certain: whoever is compared with them
-- must have stayed as long. What a window that is not over yet would say is null.
{% set gap = "cast(" ~ threshold('churn_gap_days') ~ " as integer)" %}
with windows as (
    select
        to_seconds(cast({{ threshold('silent_answer_window') }} as bigint)) as to_answer,
        to_seconds(cast({{ threshold('silent_follow_up_window') }} as bigint)) as to_follow_up
),

callbacks as (
    select
        commitments.about_kind,
        commitments.about_id,
        links.customer_key,
        commitments.made_at,
        commitments.done_at,
        commitments.done_at is not null and coalesce(results.is_contact, true) as is_contact
    from {{ ref('int_commitments') }} as commitments
    left join {{ ref('dim_customer_links') }} as links
        on coalesce(commitments.customer_source, commitments.source) = links.source and commitments.customer_id = links.customer_id
    left join {{ ref('loop_callbacks') }} as purposes on purposes.dimension = 'purpose' and commitments.purpose = purposes.value
    left join {{ ref('loop_callbacks') }} as results on results.dimension = 'result' and commitments.result = results.value
    where commitments._status = 'used' and commitments.commitment_kind = 'callback' and coalesce(purposes.is_contact, true)
),

-- Callbacks are told of from the first to the newest of them; before and after that nobody can say that there was none.
callbacks_told as (
    select
        min(callbacks.made_at) as told_from,
        max(greatest(callbacks.made_at, coalesce(callbacks.done_at, callbacks.made_at))) as told_until
    from callbacks
),

complaints as (
    select
        tickets.source,
        tickets.ticket_id,
        tickets.customer_key,
        tickets.org_unit_id,
        tickets.customer_kind,
        tickets.channel,
        tickets.topic,
        tickets.product_line,
        tickets.created_at,
        tickets.created_on,
        case when tickets.event_count > 0 then tickets.first_public_reply_at end as replied_at,
        tickets.event_count > 0 as is_reply_told,
        horizons.known_until,
        tickets.created_at + windows.to_answer as answer_until,
        tickets.created_at + windows.to_follow_up as follow_up_until
    from {{ ref('fct_tickets') }} as tickets
    left join {{ ref('int_ticket_horizons') }} as horizons on tickets.source = horizons.source
    cross join windows
    where tickets.is_in_base and tickets.is_complaint
),

matched as (
    select
        complaints.source,
        complaints.ticket_id,
        callbacks.done_at
    from complaints
    inner join callbacks on callbacks.about_kind = 'ticket' and complaints.ticket_id = callbacks.about_id
    where callbacks.is_contact and callbacks.done_at > complaints.created_at and callbacks.done_at <= complaints.follow_up_until
    union all
    select
        complaints.source,
        complaints.ticket_id,
        callbacks.done_at
    from complaints
    inner join callbacks on complaints.customer_key = callbacks.customer_key
    where callbacks.is_contact and callbacks.done_at > complaints.created_at and callbacks.done_at <= complaints.follow_up_until
),

followed as (
    select
        matched.source,
        matched.ticket_id,
        min(matched.done_at) as followed_at
    from matched
    group by matched.source, matched.ticket_id
),

judged as (
    select
        complaints.*,
        followed.followed_at,
        case
            when
                complaints.is_reply_told
                and complaints.answer_until <= complaints.known_until
                and coalesce(complaints.replied_at > complaints.answer_until, true)
                and coalesce(followed.followed_at > complaints.answer_until, true)
                then 'no_answer'
            when
                complaints.created_at >= callbacks_told.told_from
                and complaints.follow_up_until <= callbacks_told.told_until
                and followed.followed_at is null
                then 'no_follow_up'
        end as silence_kind
    from complaints
    cross join callbacks_told
    left join followed on complaints.source = followed.source and complaints.ticket_id = followed.ticket_id
),

silent as (
    select
        judged.*,
        case judged.silence_kind when 'no_answer' then judged.answer_until else judged.follow_up_until end as silent_at
    from judged
    where judged.silence_kind is not null
),

-- Rows of customers without a key meet no contact: a key that is null would meet the last one.
dated as (
    select
        silent.*,
        {{ local_day('silent.silent_at', 'units.time_zone') }} as silent_on
    from silent
    left join {{ ref('dim_org_units') }} as units on silent.org_unit_id = units.org_unit_id
),

contacts as (
    select
        chain.customer_key,
        chain.started_at,
        min(chain.contact_id) as contact_id
    from {{ ref('int_contact_chain') }} as chain
    where chain.customer_key in (select dated.customer_key from dated)
    group by chain.customer_key, chain.started_at
),

contacted as (
    select
        dated.source,
        dated.ticket_id,
        contacts.started_at as next_contact_at,
        contacts.contact_id as next_contact_id
    from dated
    {{ join_next('contacts', 'contacts', ['dated.customer_key = contacts.customer_key'], 'contacts.started_at', 'dated.silent_at', after=true) }}
    where dated.customer_key is not null
),

spells as (
    select * from {{ ref('ftr_contract_spells') }}
    where customer_key in (select dated.customer_key from dated)
),

ends as (
    select max(all_spells.known_until) as known_until from {{ ref('ftr_contract_spells') }} as all_spells
),

stays as (
    select
        spells.customer_key,
        spells.holder_began_on as began_on,
        max(spells.last_on) as left_on
    from spells
    group by spells.customer_key, spells.holder_began_on
),

stayed as (
    select
        dated.source,
        dated.ticket_id,
        max(stays.left_on) as left_on
    from dated
    inner join stays on dated.customer_key = stays.customer_key and dated.created_on >= stays.began_on and dated.created_on <= stays.left_on
    group by dated.source, dated.ticket_id
),

worth as (
    select
        dated.source,
        dated.ticket_id,
        sum(spells.monthly_fee) as monthly_fee
    from dated
    inner join spells on dated.customer_key = spells.customer_key and dated.silent_on >= spells.started_on and dated.silent_on <= spells.counted_until
    group by dated.source, dated.ticket_id
),

together as (
    select
        dated.*,
        stayed.left_on,
        coalesce(stayed.left_on >= dated.silent_on, false) as is_customer,
        coalesce(stayed.left_on < dated.silent_on, false) as is_gone_before,
        stayed.left_on - dated.silent_on as days_until_left,
        {{ seconds_between('dated.silent_at', 'contacted.next_contact_at') }} as seconds_until_contact,
        contacted.next_contact_at,
        contacted.next_contact_id,
        worth.monthly_fee,
        dated.silent_on + 30 + {{ gap }} + 1 <= ends.known_until and dated.silent_at + to_days(30) <= dated.known_until as is_final_30d,
        dated.silent_on + 90 + {{ gap }} + 1 <= ends.known_until and dated.silent_at + to_days(90) <= dated.known_until as is_final_90d
    from dated
    cross join ends
    left join contacted on dated.source = contacted.source and dated.ticket_id = contacted.ticket_id
    left join stayed on dated.source = stayed.source and dated.ticket_id = stayed.ticket_id
    left join worth on dated.source = worth.source and dated.ticket_id = worth.ticket_id
)

select
    together.source,
    together.ticket_id,
    together.customer_key,
    together.org_unit_id,
    together.customer_kind,
    together.channel,
    {{ or_unknown('together.topic') }} as topic,
    together.product_line,
    together.silence_kind,
    case
        when together.customer_key is null then 'not_identified'
        when together.is_gone_before then 'left_before'
        when not together.is_customer then 'no_contract'
        else 'customer'
    end as customer_state,
    {%- for days in [30, 90] %}
    coalesce(together.is_final_{{ days }}d, false) as is_final_{{ days }}d,
    case
        when not coalesce(together.is_final_{{ days }}d, false) or not together.is_customer then null
        when together.days_until_left <= {{ days }} then 'left'
        when together.seconds_until_contact <= {{ days }} * 86400 then 'contacted_again'
        else 'nothing'
    end as outcome_{{ days }}d,
    {%- endfor %}
    case when together.days_until_left between 0 and 36500 then cast(together.days_until_left as integer) end as days_until_left,
    cast(together.seconds_until_contact as bigint) as seconds_until_contact,
    together.next_contact_id,
    cast(coalesce(together.monthly_fee, 0) as decimal(18, 2)) as monthly_fee,
    together.customer_key is not null
    and row_number() over (partition by together.customer_key order by together.silent_at desc, together.source asc, together.ticket_id asc) = 1 as is_newest_of_customer,
    together.created_at,
    together.replied_at,
    together.followed_at,
    together.silent_at,
    together.created_on,
    together.silent_on
from together
