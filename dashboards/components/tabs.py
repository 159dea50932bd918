"""Tabs as links: the address says which one is open, so a tab can be sent and the browser's back leads to the one before."""

from __future__ import annotations

from collections.abc import Sequence

from dash import dcc, html


def tabs(label: str, entries: Sequence[tuple[str, str, str]], current: str) -> html.Nav:
    """The row of tabs. `entries`: key, name and address of each."""
    return html.Nav(
        html.Ul(
            [
                html.Li(
                    dcc.Link(name, href=href, className="tab tab-current" if key == current else "tab"),
                    **{"aria-current": "page" if key == current else "false"},
                )
                for key, name, href in entries
            ],
            className="tabs",
        ),
        **{"aria-label": label},
    )
