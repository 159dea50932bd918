{#- What the control charts count, mart by mart: the parts of each metric as conditions over the rows of the mart, the same as its measures
    (tests/warehouse/test_control.py compares them). A metric without a denominator is counted per day; one with `sum` adds up a column of whole numbers over the
    rows of its denominator. A mart may lack a channel, product line or kind of customer (`without`). The chart kind, base, levels and
    owner stand in seeds/control_charts.csv; a metric that is not there has no chart. -#}
{% macro control_measures() -%}
    {{ return([
        {'mart': 'fct_calls', 'clock': 'started_on', 'metrics': [
            {'metric': 'service_level', 'numerator': 'is_answered_within_target', 'denominator': 'is_answered and wait_seconds is not null'},
            {'metric': 'abandonment_rate', 'numerator': 'is_abandoned', 'denominator': 'is_offered'},
            {'metric': 'average_handle_time', 'sum': 'handle_seconds', 'denominator': 'handle_seconds is not null'},
        ]},
        {'mart': 'fct_tickets', 'clock': 'created_on', 'metrics': [
            {'metric': 'complaint_share', 'numerator': 'is_in_base and is_complaint', 'denominator': 'is_in_base'},
            {'metric': 'complaints', 'numerator': 'is_in_base and is_complaint', 'denominator': none},
            {'metric': 'reopen_rate', 'numerator': 'is_in_base and was_solved and is_reopened', 'denominator': 'is_in_base and was_solved'},
            {'metric': 'hand_overs_per_ticket', 'sum': 'hand_overs', 'denominator': 'is_in_base'},
        ]},
        {'mart': 'fct_quality_sheets', 'clock': 'reviewed_on', 'without': ['product_line', 'customer_kind'], 'metrics': [
            {'metric': 'fatal_error_rate', 'numerator': 'is_in_base and is_fatal', 'denominator': 'is_in_base'},
        ]},
        {'mart': 'fct_ticket_slas', 'clock': 'decided_on', 'metrics': [
            {'metric': 'sla_attainment_first_reply', 'numerator': "is_in_base and is_met and sla_metric = 'first_reply'", 'denominator': "is_in_base and (is_met or is_breached) and sla_metric = 'first_reply'"},
            {'metric': 'sla_attainment_resolution', 'numerator': "is_in_base and is_met and sla_metric = 'resolution'", 'denominator': "is_in_base and (is_met or is_breached) and sla_metric = 'resolution'"},
        ]},
        {'mart': 'fct_contact_repeats', 'clock': 'started_on', 'metrics': [
            {'metric': 'repeat_contact_rate_7d', 'numerator': 'is_human and is_repeated_7d', 'denominator': 'is_human and is_final_7d'},
        ]},
        {'mart': 'fct_survey_answers', 'clock': 'responded_on', 'metrics': [
            {'metric': 'csat_top2', 'numerator': 'is_csat_satisfied', 'denominator': 'is_csat'},
            {'metric': 'nps_detractor_share', 'numerator': 'is_detractor', 'denominator': 'is_nps'},
            {'metric': 'fcr_said_by_customers', 'numerator': 'is_said_resolved', 'denominator': 'is_resolved_answer'},
        ]},
    ]) }}
{%- endmacro %}
