"""The pages: one module each, in the order of the menu.

A page is a function from (snapshot, view, language) to components. It keeps no state: the URL says what is looked at, the
published snapshot says what there is. So a page is tested by calling it, and a new snapshot only means calling it again.
"""

from __future__ import annotations

from dashboards.pages import (
    causes,
    complaints,
    contact_centre,
    customer,
    customers,
    data_health,
    definitions,
    explore,
    overview,
    reports,
    rows,
    satisfaction,
    tickets,
)
from dashboards.pages.base import Page, PageContext

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    satisfaction.PAGE,
    customers.PAGE,
    complaints.PAGE,
    causes.PAGE,
    contact_centre.PAGE,
    tickets.PAGE,
    customer.PAGE,
    explore.PAGE,
    reports.PAGE,
    definitions.PAGE,
    data_health.PAGE,
    rows.PAGE,
)

__all__ = ["PAGES", "Page", "PageContext", "page_at"]


def page_at(path: str | None) -> Page | None:
    """The page of an address, or None."""
    wanted = "/" + (path or "/").strip("/")
    return next((page for page in PAGES if page.path == wanted), None)
