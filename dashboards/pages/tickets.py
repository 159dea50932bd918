"""Tickets: how many come and are solved, how long that takes, which promises are kept, what is still open."""

from __future__ import annotations

from dash import html

from dashboards.components.section import page_head, section
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext

CARDS = (
    "tickets_created",
    "tickets_solved",
    "backlog_open",
    "first_reply_median",
    "full_resolution_median",
    "sla_attainment",
    "reopen_rate",
    "handed_over_share",
)
AGES = ("0", "1-2", "3-6", "7-29", "30+")


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    return html.Div(
        [
            page_head(t("page.tickets.title"), t("page.tickets.lead"), *parts.period_details(context)),
            section("headline", t("kpi.section"), parts.cards(context, CARDS)),
            section(
                "times",
                t("tickets.times"),
                parts.panels(
                    *parts.trend_panels(context, ["first_reply_median", "full_resolution_median"]),
                    parts.split_panel(context, "full_resolution_median", "ticket_kind"),
                    parts.split_panel(context, "full_resolution_median", "priority"),
                ),
                lead=t("tickets.times_lead"),
            ),
            section(
                "promises",
                t("tickets.promises"),
                parts.panels(
                    *parts.trend_panels(context, ["sla_attainment", "sla_breaches"]),
                    parts.split_panel(context, "sla_attainment", "sla_metric"),
                    parts.split_panel(context, "sla_attainment", "policy"),
                ),
            ),
            section(
                "backlog",
                t("tickets.backlog"),
                parts.panels(
                    *parts.trend_panels(context, ["backlog_open"]),
                    parts.split_panel(context, "backlog_open", "age_bucket", keep=AGES),
                    parts.pair_panel(
                        context,
                        ("tickets_created", "tickets_solved"),
                        t("tickets.in_and_out"),
                        (t("tickets.created"), t("tickets.solved")),
                        "in-and-out",
                    ),
                    parts.split_panel(context, "backlog_open", "ticket_kind"),
                ),
                lead=t("tickets.backlog_lead"),
            ),
            section(
                "quality",
                t("tickets.quality"),
                parts.panels(
                    *parts.trend_panels(context, ["reopen_rate", "handed_over_share"]),
                    parts.split_panel(context, "reopen_rate", "topic"),
                    parts.split_panel(context, "reopen_rate", "org_unit_id"),
                ),
            ),
        ]
    )


PAGE = Page(key="tickets", path="/tickets", render=render)
