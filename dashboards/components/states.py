"""Designed states: nothing published, data gone, error, no such page, nothing to show. Each says what to do."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboards.i18n import Translator


def _state(title: str, *parts: Any, mark: str, role: str = "status") -> html.Section:
    return html.Section(
        [html.Div(mark, className="state-mark", **{"aria-hidden": "true"}), html.H1(title), *parts],
        className="state",
        role=role,
    )


def _command(label: str, *commands: str) -> html.Div:
    return html.Div(
        [html.P(label), html.Pre(html.Code("\n".join(commands)), className="command", tabIndex=0)],
        className="state-command",
    )


def no_snapshot(t: Translator, *, failed_at: str | None = None, reason: str | None = None) -> html.Section:
    """Nothing has been published in this home."""
    failure = None
    if failed_at is not None:
        failure = html.P(t("state.no_snapshot.failed", at=failed_at, reason=reason or "?"), className="state-failure")
    return _state(
        t("state.no_snapshot.title"),
        html.P(t("state.no_snapshot.text")),
        failure,
        _command(t("state.no_snapshot.first"), "csatlas demo", "csatlas refresh"),
        _command(t("state.no_snapshot.own"), "csatlas refresh"),
        mark="○",
    )


def gone(t: Translator) -> html.Section:
    """The published file cannot be read any more."""
    return _state(
        t("state.gone.title"),
        html.P(t("state.gone.text")),
        _command(t("state.gone.hint"), "csatlas refresh"),
        mark="◌",
        role="alert",
    )


def error(t: Translator, reference: str, href: str) -> html.Section:
    """Something unexpected; the log holds the trace under `reference`."""
    return _state(
        t("state.error.title"),
        html.P(t("state.error.text", reference=reference)),
        html.A(t("state.error.retry"), href=href, className="button"),
        mark="!",
        role="alert",
    )


def not_found(t: Translator, path: str, home: str) -> html.Section:
    """No page has this address."""
    return _state(
        t("state.not_found.title"),
        html.P(t("state.not_found.text", path=path)),
        html.A(t("state.not_found.home"), href=home, className="button"),
        mark="?",
    )


def not_allowed(t: Translator) -> html.Section:
    """The reader's rights do not reach."""
    return _state(t("state.not_allowed.title"), html.P(t("state.not_allowed.text")), mark="⊘")


def empty(t: Translator, text: str) -> html.Div:
    """A part of a page has nothing to show."""
    return html.Div([html.Strong(t("state.empty.title")), html.P(text)], className="empty", role="status")


def notice(text: str, *, kind: str = "info") -> html.Div:
    """One line above the content; `kind` is info, warning or error."""
    return html.Div(text, className=f"notice notice-{kind}", role="alert" if kind == "error" else "status")


def loading_bar(t: Translator) -> dmc.Loader:
    """Shown over the content while it is computed."""
    return dmc.Loader(type="bars", size="sm", **{"aria-label": t("app.loading")})
