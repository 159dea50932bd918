"""The executive's page: headline figures as cards, and the course of tickets, calls, satisfaction and recommendation."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboards.components import states
from dashboards.components.kpi import kpi_card
from dashboards.components.section import page_head, section
from dashboards.data import queries
from dashboards.figures.trend import choose_grain
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    grain = choose_grain(context.span.days)
    cards = parts.kpis(context, queries.headline_metrics(context.snapshot), grain)
    if cards:
        shown_cards: Any = html.Div([kpi_card(t, card) for card in cards], className="kpis")
    else:
        shown_cards = states.empty(t, t("state.empty.no_metric"))
    return html.Div(
        [
            page_head(t("page.overview.title"), t("page.overview.lead"), *parts.period_details(context)),
            section("headline", t("kpi.section"), shown_cards),
            section("trends", f"{t('trend.section')} {t(f'grain.{grain}')}", parts.trends(context, queries.TRENDS)),
        ]
    )


PAGE = Page(key="overview", path="/", render=render)
