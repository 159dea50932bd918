{{ config(
    materialized='incremental',
    meta={'touched_by': {'partitions_of': 'tickets', 'via': {'ticket_events': ['ticket_id']}}},
) }}
{%- set words = promise_words() %}

-- What agents wrote to customers is read here, sentence by sentence, and stays here: only what was promised and for when leaves this query.
with tickets as (
    select
        t.source,
        t.ticket_id,
        t._partition_date
    from {{ ref('int_tickets') }} as t
    where
        t._status = 'used'
        {% if is_incremental() %} and t._partition_date in ({{ touched_partitions() }}) {% endif %}
),

replies as (
    select
        e.source,
        e.ticket_id,
        e.ticket_event_id,
        e.actor_id,
        e.occurred_at,
        left(e.body, cast({{ threshold('complaint_text_length') }} as bigint)) as body
    from {{ ref('int_ticket_events') }} as e
    where
        e._status = 'used' and e.event_kind = 'public_reply' and e.actor_role = 'agent' and trim(coalesce(e.body, '')) <> ''
        and {{ quick_hash(['e.source', 'e.ticket_id']) }} in (select {{ quick_hash(['t.source', 't.ticket_id']) }} from tickets as t)
),

texts as (
    select
        source,
        ticket_id,
        ticket_event_id,
        actor_id,
        occurred_at,
        case
            when {{ matches_pattern('body', "'(?i)[<>]|original message| wrote:|from ?[:：]|发件人|發件人'") }} then {{ readable('body') }}
            else lower({{ folded('body') }})
        end as text
    from replies
),

-- A point within a time of day or a number ends no sentence.
sentences as (
    select
        source,
        ticket_id,
        ticket_event_id,
        actor_id,
        occurred_at,
        {{ has_han('text') }} as is_chinese,
        {{ each_sentence("regexp_replace(regexp_replace(text, '([ap])\\.m\\.?', '\\1m', 'g'), '([0-9])\\.([0-9])', '\\1:\\2', 'g')") }} as sentence
    from texts
    where {{ has_sense('text', words, 'act') }} and {{ has_sense('text', words, 'will') }}
),

acts as (
    select
        *,
        {{ first_sense('sentence', words, 'act') }} as act
    from sentences
    where {{ has_sense('sentence', words, 'will') }} and not {{ has_sense('sentence', words, 'never') }}
),

times as (
    select
        *,
        cast({{ first_sense('sentence', words, 'day') }} as integer) as days_ahead,
        {{ first_sense('sentence', words, 'period') }} as period,
        cast({{ first_sense('sentence', words, 'weekday') }} as integer) as weekday,
        {{ has_sense('sentence', words, 'next') }} as is_next_week,
        {{ first_sense('sentence', words, 'limit') }} as time_limit,
        {{ first_sense('sentence', words, 'hour') }} as hour_part,
        {{ first_group('sentence', words, 'hour', 1) }} as hour_text,
        {{ first_group('sentence', words, 'hour', 2) }} as minute_text,
        {{ first_sense('sentence', words, 'within') }} as within_unit,
        {{ first_group('sentence', words, 'within', 1) }} as within_text
    from acts
    where act is not null
),

read as (
    select
        *,
        {{ number_in_words('hour_text', words) }} as hour_number,
        coalesce(try_cast(minute_text as integer), case when minute_text = '半' then 30 end, 0) as minute_number,
        {{ number_in_words('within_text', words) }} as within_number
    from times
),

-- The time of day by which, as minutes after midnight. An hour without a part of the day: one to seven is in the afternoon.
dated as (
    select
        source,
        ticket_id,
        ticket_event_id,
        actor_id,
        occurred_at,
        is_chinese,
        act,
        days_ahead,
        period,
        weekday,
        is_next_week,
        case when within_number > 0 then within_unit end as within_unit,
        case when within_number > 0 then within_number end as within_number,
        case
            when hour_number between 0 and 24 then
                60 * case
                    when hour_part = 'am' then hour_number % 12
                    when hour_part = 'pm' and hour_number <= 12 then hour_number % 12 + 12
                    when hour_part = 'any' and hour_number between 1 and 7 then hour_number + 12
                    else hour_number
                end + minute_number
            when time_limit <> 'close' then {{ minute_of_day("case when time_limit <> 'close' then time_limit end") }}
        end as limit_minute,
        coalesce(time_limit = 'close' and hour_number is null, false) as is_until_close
    from read
),

promised as (
    select *
    from dated
    where coalesce(days_ahead, weekday, within_number, limit_minute) is not null or period is not null or is_until_close
)

-- A reply may promise several things; the same one twice is one promise.
select
    promised.source,
    promised.ticket_id,
    promised.ticket_event_id,
    promised.act,
    promised.actor_id,
    case when promised.is_chinese then 'zh' else 'en' end as language,
    promised.days_ahead,
    promised.period,
    promised.weekday,
    promised.is_next_week,
    promised.within_unit,
    promised.within_number,
    promised.limit_minute,
    promised.is_until_close,
    promised.occurred_at as made_at,
    tickets._partition_date
from promised
inner join tickets on promised.source = tickets.source and promised.ticket_id = tickets.ticket_id
qualify
    row_number() over (
        partition by promised.source, promised.ticket_event_id, promised.act
        order by promised.within_number, promised.days_ahead, promised.weekday, promised.period, promised.limit_minute, promised.is_until_close
    ) = 1
