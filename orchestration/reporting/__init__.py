"""Reports from the command line and by e-mail: who gets which, with whose rights, and when.

Belongs here: making files, subscriptions, delivery. Does not belong here: what a report says (dashboards.reports).
"""
