-- The seven early warnings. Each line of early_warning_rules says what counts as evidence of a signal; all that is found on one day of one customer is one signal, with the
-- strongest piece as its evidence (of equals the line with the lower number, then the earlier one).
{% set gap = "cast(" ~ threshold('churn_gap_days') ~ " as integer)" %}
{% set days = "cast(" ~ threshold('warning_window_days') ~ " as integer)" %}
with rules as (
    select * from {{ ref('early_warning_rules') }}
),

answers as (
    select
        answers.customer_key,
        rules.signal,
        rules.rule_order,
        rules.strength,
        rules.evidence_kind,
        answers.source as evidence_source,
        answers.response_id as evidence_id,
        answers.question_id as evidence_item,
        round(answers.score_100 / 100, 6) as evidence_value,
        answers.responded_at as seen_at,
        answers.responded_on as seen_on
    from {{ ref('fct_survey_answers') }} as answers
    inner join rules
        on
            rules.evidence_kind = 'answer'
            and {{ fits_pattern('answers.question_role', 'rules.what') }}
            and coalesce(answers.construct = rules.qualifier, rules.qualifier is null)
            and answers.score_100 <= 100 * rules.at_most
    where answers.is_valid and answers.customer_key is not null
),

-- Praise names topics, too: a comment is evidence only where the response as a whole is a bad one.
comments as (
    select
        topics.customer_key,
        rules.signal,
        rules.rule_order,
        rules.strength,
        rules.evidence_kind,
        topics.source as evidence_source,
        topics.response_id as evidence_id,
        topics.comment_topic as evidence_item,
        case
            when topics.csat_answers > 0 then round(topics.csat_score_sum / topics.csat_answers / 100, 6)
            when topics.nps_answers > 0 then cast(topics.nps_detractors = 0 as integer)
        end as evidence_value,
        topics.responded_at as seen_at,
        topics.responded_on as seen_on
    from {{ ref('fct_comment_topics') }} as topics
    inner join rules on rules.evidence_kind = 'comment' and topics.comment_topic = rules.what
    where
        topics.customer_key is not null
        and case
            when topics.csat_answers > 0 then topics.csat_score_sum / topics.csat_answers <= 100 * rules.at_most
            when topics.nps_answers > 0 then topics.nps_detractors > 0
            else false
        end
),

tickets as (
    select
        tickets.customer_key,
        rules.signal,
        rules.rule_order,
        rules.strength,
        rules.evidence_kind,
        tickets.source as evidence_source,
        tickets.ticket_id as evidence_id,
        tickets.topic as evidence_item,
        cast(null as double) as evidence_value,
        tickets.created_at as seen_at,
        tickets.created_on as seen_on
    from {{ ref('fct_tickets') }} as tickets
    inner join rules
        on rules.evidence_kind = 'ticket' and tickets.topic = rules.what and coalesce(tickets.ticket_kind = rules.qualifier, rules.qualifier is null)
    where tickets.is_in_base and tickets.customer_key is not null
),

silences as (
    select
        silent.customer_key,
        rules.signal,
        rules.rule_order,
        rules.strength,
        rules.evidence_kind,
        silent.source as evidence_source,
        silent.ticket_id as evidence_id,
        silent.silence_kind as evidence_item,
        cast(null as double) as evidence_value,
        silent.silent_at as seen_at,
        silent.silent_on as seen_on
    from {{ ref('fct_silent_complaints') }} as silent
    inner join rules on rules.evidence_kind = 'silence' and silent.silence_kind = rules.what
    where silent.customer_key is not null
),

-- A fatal error is one piece of evidence, however many items the review has.
-- A review names a contact without saying whose; one whose contact is not known, or of more than one system, names nobody.
weak as (
    select distinct
        reviews.source,
        reviews.review_id,
        case when rules.what = 'fatal' then 'fatal' else reviews.item end as item,
        concat(case reviews.contact_kind when 'chat' then 'message' else reviews.contact_kind end, ':', reviews.contact_id) as chain_contact_id,
        case when rules.what <> 'fatal' then reviews.score_share end as score_share,
        reviews.reviewed_at,
        reviews.reviewed_on,
        rules.signal,
        rules.rule_order,
        rules.strength,
        rules.evidence_kind
    from {{ ref('fct_quality_reviews') }} as reviews
    inner join rules
        on rules.evidence_kind = 'review' and (
            (reviews.item = rules.what and reviews.score_share <= rules.at_most)
            or (rules.what = 'fatal' and reviews.is_fatal)
        )
    where reviews.is_in_base
),

reviewed as (
    select
        chain.contact_id,
        min(chain.customer_key) as customer_key
    from {{ ref('int_contact_chain') }} as chain
    where chain.contact_id in (select weak.chain_contact_id from weak)
    group by chain.contact_id
    having count(distinct chain.source) = 1
),

reviews as (
    select
        reviewed.customer_key,
        weak.signal,
        weak.rule_order,
        weak.strength,
        weak.evidence_kind,
        weak.source as evidence_source,
        weak.review_id as evidence_id,
        weak.item as evidence_item,
        round(weak.score_share, 6) as evidence_value,
        weak.reviewed_at as seen_at,
        weak.reviewed_on as seen_on
    from weak
    inner join reviewed on weak.chain_contact_id = reviewed.contact_id
),

pieces as (
    select * from answers
    union all
    select * from comments
    union all
    select * from tickets
    union all
    select * from silences
    union all
    select * from reviews
),

signals as (
    select
        pieces.*,
        count(*) over (partition by pieces.customer_key, pieces.seen_on, pieces.signal) as evidence_pieces
    from pieces
    qualify
        row_number() over (
            partition by pieces.customer_key, pieces.seen_on, pieces.signal
            order by
                pieces.strength desc, pieces.rule_order asc, pieces.seen_at asc, pieces.evidence_source asc, pieces.evidence_id asc, pieces.evidence_item asc
        ) = 1
),

warned as (
    select distinct signals.customer_key from signals
),

spells as (
    select spells.* from {{ ref('ftr_contract_spells') }} as spells
    inner join warned on spells.customer_key = warned.customer_key
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

-- What the customer pays and until when he stayed is the same for all signals of a day.
customer_days as (
    select distinct
        signals.customer_key,
        signals.seen_on
    from signals
),

worth as (
    select
        customer_days.customer_key,
        customer_days.seen_on,
        sum(spells.monthly_fee) as monthly_fee,
        min(spells.holder_began_on) as began_on
    from customer_days
    inner join spells
        on customer_days.customer_key = spells.customer_key and customer_days.seen_on >= spells.started_on and customer_days.seen_on <= spells.counted_until
    group by customer_days.customer_key, customer_days.seen_on
)

select
    signals.customer_key,
    signals.seen_on,
    signals.signal,
    customers.org_unit_id,
    customers.customer_kind,
    signals.evidence_kind,
    signals.evidence_source,
    signals.evidence_id,
    signals.evidence_item,
    cast(signals.evidence_value as double) as evidence_value,
    cast(signals.rule_order as integer) as rule_order,
    cast(signals.strength as double) as strength,
    cast(signals.evidence_pieces as integer) as evidence_pieces,
    worth.began_on is not null as is_customer,
    coalesce(signals.seen_on + {{ days }} + {{ gap }} + 1 <= ends.known_until, false) as is_final,
    case
        when worth.began_on is not null and signals.seen_on + {{ days }} + {{ gap }} + 1 <= ends.known_until
            then stays.left_on - signals.seen_on <= {{ days }}
    end as is_left_in_window,
    case when stays.left_on < date '9999-12-31' then cast(stays.left_on - signals.seen_on as integer) end as days_until_left,
    cast(coalesce(worth.monthly_fee, 0) as decimal(18, 2)) as monthly_fee,
    signals.seen_at
from signals
inner join {{ ref('dim_customers') }} as customers on signals.customer_key = customers.customer_key
cross join ends
left join worth on signals.customer_key = worth.customer_key and signals.seen_on = worth.seen_on
left join stays on worth.customer_key = stays.customer_key and worth.began_on = stays.began_on
