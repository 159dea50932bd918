"""The reports of the trade, for the units and the end of the period that are chosen above."""

from __future__ import annotations

from urllib.parse import urlencode

from dash import html

from dashboards.components.section import page_head, section
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext
from dashboards.report_files import PATH
from dashboards.reports.packs import PACKS, choose_period


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    as_of = min(context.span.end, context.last_complete_day)
    panels = []
    for name, pack in PACKS.items():
        period = choose_period(context.snapshot, pack, as_of=as_of)
        asked = urlencode(
            [("lang", t.language), ("period", period.code), *(("unit", unit) for unit in context.view.units)]
        )
        title = t(f"report.title.{name}")
        links = [
            html.A(
                kind.upper(),
                href=f"{PATH}{name}.{kind}?{asked}",
                className="report-link",
                target="_blank" if kind == "html" else None,
                rel="noopener",
                **{"aria-label": t("report.page.link", name=title, kind=kind.upper())},
            )
            for kind in ("html", "pdf")
        ]
        panels.append(
            html.Div(
                [
                    html.Div(html.H3(title), className="chart-head"),
                    html.P(t(f"report.page.{name}"), className="report-text"),
                    html.P(period.label(t), className="report-period"),
                    html.Div(links, className="report-links"),
                ],
                className="panel",
            )
        )
    return html.Div(
        [
            page_head(t("page.reports.title"), t("page.reports.lead"), *parts.period_details(context)),
            section(
                "reports", t("report.page.section"), html.Div(panels, className="charts"), lead=t("report.page.lead")
            ),
        ]
    )


PAGE = Page(key="reports", path="/reports", render=render)
