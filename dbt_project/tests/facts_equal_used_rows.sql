-- A fact mart that is no more than a selection has exactly the used rows of its feed; the others say so with their key
-- (`used_rows_of`). Lines of the exchange outside of calls are the one kind of row that is used and in no fact.
{% set pairs = {'fct_ticket_events': 'ticket_events', 'fct_call_events': 'call_events'} %}
{% for mart, feed in pairs.items() %}
select '{{ mart }}' as mart, (select count(*) from {{ ref(mart) }}) as mart_rows, (select count(*) from {{ ref('int_' ~ feed) }} where _status = 'used' {{ "and event_kind <> 'outside_call'" if feed == 'call_events' }}) as used_rows
where mart_rows <> used_rows
{{ 'union all' if not loop.last }}
{% endfor %}
