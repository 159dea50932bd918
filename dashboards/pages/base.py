"""What a page is and what it may look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import dash

from dashboards.data import queries
from dashboards.data.metrics import Filters
from dashboards.data.snapshot import Snapshot, SnapshotStore
from dashboards.i18n import Translator
from dashboards.state import Span, View


@dataclass(frozen=True)
class PageContext:
    """Everything a page may look at: one snapshot, one view, one language."""

    snapshot: Snapshot
    view: View
    t: Translator

    @cached_property
    def last_day(self) -> date:
        """The last day of the data; relative periods end on it."""
        return queries.last_day(self.snapshot)

    @cached_property
    def last_complete_day(self) -> date:
        """The last day of which all of the data is there."""
        return queries.last_complete_day(self.snapshot)

    @property
    def span(self) -> Span:
        return self.view.span(self.last_day)

    @property
    def comparison_span(self) -> Span | None:
        return self.view.comparison_span(self.last_day)

    def link(self, path: str, **own: str) -> str:
        """Address of a page with the view's filters, and with parameters of that page."""
        return path + self.view.elsewhere().with_own(**own).query()

    def filters(self, span: Span) -> Filters:
        """The view's filters over the days of `span`."""
        return Filters(
            start=span.start,
            end=span.end,
            units=self.view.units,
            channels=self.view.channels,
            product_lines=self.view.products,
            customer_kinds=self.view.kinds,
        )


@dataclass(frozen=True)
class Page:
    """One page. Its words are `page.<key>.name`, `.title` and `.lead`.

    Attributes:
        key: name in the language files and in the code.
        path: address below the root.
        render: the content for a context.
        uses_filters: whether the filter bar stands above it.
        in_menu: whether the menu leads to it; if not, other pages do.
        register: adds callbacks of its own, for parts that change without the URL (a grid that follows a selection).
    """

    key: str
    path: str
    render: Callable[[PageContext], Any]
    uses_filters: bool = True
    in_menu: bool = True
    register: Callable[[dash.Dash, SnapshotStore], None] | None = None
