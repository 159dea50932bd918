"""Tables and charts as files: what a page offers, and the small menu beside each of them.

A page offers a table while it is drawn (`offer`). Nobody collects the offers of a page that is only shown. A download draws the
page of the address anew and takes the one asked for (`collecting`): so a file holds what its reader may see, of the snapshot that
is published, and the browser sends no data back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import polars as pl
from dash import html

from dashboards.data.files import MEDIA_TYPES
from dashboards.i18n import Translator

PICTURES = ("png", "svg")
ASKED = "file-asked"
FILE = "file"


@dataclass(frozen=True)
class Offer:
    """A table that can be had as a file; `make` builds it."""

    title: str
    make: Callable[[], pl.DataFrame]


_offers: ContextVar[dict[str, Offer] | None] = ContextVar("offers", default=None)


@contextmanager
def collecting() -> Iterator[dict[str, Offer]]:
    """What is offered meanwhile in this thread, by key."""
    found: dict[str, Offer] = {}
    token = _offers.set(found)
    try:
        yield found
    finally:
        _offers.reset(token)


def offer(key: str, title: str, make: Callable[[], pl.DataFrame]) -> None:
    """Offer a table under a key that is its own on the page."""
    found = _offers.get()
    if found is not None:
        found[key] = Offer(title, make)


def download_menu(t: Translator, key: str, title: str, *, table: bool = True, picture: bool = False) -> Any:
    """The menu. The browser handles its buttons by their marks; it draws pictures itself."""
    kinds = [*(MEDIA_TYPES if table else ()), *(PICTURES if picture else ())]
    if not kinds:
        return None
    buttons = [
        html.Button(
            kind.upper() if kind != "parquet" else "Parquet",
            type="button",
            className="download-kind",
            **{"data-export": key, "data-kind": kind, "data-title": title},
        )
        for kind in kinds
    ]
    return html.Details(
        [
            html.Summary("⤓", title=t("download.menu"), **{"aria-label": t("download.label", name=title)}),
            html.Div(buttons, className="download-kinds", role="group", **{"aria-label": t("download.menu")}),
        ],
        className="download",
    )
