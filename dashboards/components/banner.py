"""The line under the header: how old the data is, and whether the last refresh failed or a source is stale."""

from __future__ import annotations

from dataclasses import dataclass

from dash import dcc, html

from dashboards.i18n import Translator


@dataclass(frozen=True)
class DataState:
    """The state of the published data, with times already written in the reader's language."""

    until: str
    published: str
    failed_at: str | None = None
    failure: str | None = None
    is_stale: bool = False
    stale_reasons: str | None = None


def status_banner(t: Translator, state: DataState, health_href: str) -> html.Div:
    """Calm when all is well, marked when a refresh failed or a source is late."""
    sentences: list[str] = []
    kind = "calm"
    if state.failed_at is not None:
        kind = "failed"
        if state.failure:
            sentences.append(t("banner.failed", at=state.failed_at, reason=state.failure))
        else:
            sentences.append(t("banner.failed_no_reason", at=state.failed_at))
        sentences.append(t("banner.failed_tail", until=state.until))
    sentences.append(t("banner.as_of", until=state.until, published=state.published))
    if state.is_stale:
        kind = "stale" if kind == "calm" else kind
        if state.stale_reasons:
            sentences.append(t("banner.stale", reasons=state.stale_reasons))
        else:
            sentences.append(t("banner.stale_no_reason"))
    parts: list[html.Span | dcc.Link] = [html.Span(sentence) for sentence in sentences]
    if kind != "calm":
        parts.append(dcc.Link(t("banner.details"), href=health_href))
    return html.Div(
        parts,
        className=f"banner banner-{kind}",
        role="status" if kind == "calm" else "alert",
        **{"aria-label": t("banner.label")},
    )
