-- A fact mart has exactly the used rows of its feed: no join in it drops or multiplies a row. Lines of the exchange outside of calls
-- are the one kind of row that is used and in no fact.
{% set pairs = {
    'fct_tickets': 'tickets', 'fct_ticket_events': 'ticket_events', 'fct_calls': 'calls', 'fct_call_events': 'call_events',
    'fct_survey_invitations': 'survey_invitations', 'fct_survey_responses': 'survey_responses', 'fct_survey_answers': 'survey_answers',
    'fct_transactions': 'transactions', 'fct_subscriptions': 'subscriptions',
} %}
{% for mart, feed in pairs.items() %}
select '{{ mart }}' as mart, (select count(*) from {{ ref(mart) }}) as mart_rows, (select count(*) from {{ ref('int_' ~ feed) }} where _status = 'used' {{ "and event_kind <> 'outside_call'" if feed == 'call_events' }}) as used_rows
where mart_rows <> used_rows
{{ 'union all' if not loop.last }}
{% endfor %}
