"""Frames of page content: page head, section with heading, panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html


def page_head(title: str, lead: str, *details: Any) -> html.Div:
    """Title of a page with one sentence and, at its right, what the numbers cover."""
    return html.Div(
        [
            html.Div([html.H1(title), html.P(lead, className="lead")]),
            html.Div([part for part in details if part], className="page-details"),
        ],
        className="page-head",
    )


def section(key: str, title: str, *parts: Any, lead: str | None = None) -> html.Section:
    """A part of a page, labelled by its heading; `key` becomes the ids (and so the anchor of a link)."""
    heading: list[Any] = [html.H2(title, id=f"{key}-title")]
    if lead:
        heading.append(html.P(lead, className="lead"))
    return html.Section(
        [html.Div(heading, className="section-head"), *parts],
        id=key,
        className="section",
        **{"aria-labelledby": f"{key}-title"},
    )


def facts(pairs: Sequence[tuple[str, Any]]) -> html.Dl:
    """Names and values as a description list."""
    return html.Dl(
        [html.Div([html.Dt(name), html.Dd(value)]) for name, value in pairs],
        className="facts",
    )
