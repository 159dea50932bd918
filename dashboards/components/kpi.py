"""The card of one headline figure: value, change, interval, course, target, base and age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboards.components.values import describe_change, format_part, format_value
from dashboards.figures.sparkline import HEIGHT, WIDTH, sparkline_uri
from dashboards.i18n import EMPTY, Translator

LEAST_COURSE = 4
"""Fewest points of a course that is drawn: a line of two or three says more than they do."""


@dataclass(frozen=True)
class Kpi:
    """What a card shows. None in `value` is an empty base; it is never drawn as 0 or 100 %."""

    key: str
    name: str
    description: str
    formula: str
    unit: str | None
    direction: str | None
    version: str
    value: float | None
    numerator: float | None
    denominator: float | None
    low: float | None
    high: float | None
    n: float | None
    is_small_base: bool
    minimum_base: float | None
    target: float | None
    is_count: bool
    has_comparison: bool
    before: float | None
    course: Sequence[float | None]
    last_incomplete: bool
    until: date
    href: str | None = None
    note: str | None = None
    rows_href: str | None = None
    is_hidden: bool = False
    limits: Sequence[tuple[float, float] | None] = ()
    outside: Sequence[int] = ()
    limits_note: str | None = None
    page: tuple[str, str] | None = None
    """Name and address of the page behind the number."""


def kpi_card(t: Translator, kpi: Kpi) -> html.Article:
    """The card."""
    heading = f"kpi-{kpi.key}"
    small = kpi.is_small_base and kpi.value is not None
    return html.Article(
        [
            html.H3(
                dcc.Link(kpi.name, href=kpi.href, className="quiet-link") if kpi.href else kpi.name,
                id=heading,
                className="kpi-name",
            ),
            _value(t, kpi, small),
            _change(t, kpi),
            _interval(t, kpi),
            _small_note(t, kpi) if small else None,
            html.Div(kpi.note, className="kpi-remark") if kpi.note else None,
            _course(t, kpi),
            html.Div(kpi.limits_note, className="kpi-limits") if kpi.limits_note else None,
            html.Div([_target(t, kpi), _base(t, kpi)], className="kpi-foot"),
            html.Div(
                dcc.Link(f"{kpi.page[0]} ›", href=kpi.page[1], title=t("kpi.page_title", name=kpi.name)),
                className="kpi-page",
            )
            if kpi.page
            else None,
        ],
        className="kpi kpi-small" if small else "kpi",
        **{"aria-labelledby": heading, "data-metric": kpi.key},
    )


def explanation(t: Translator, kpi: Kpi) -> list[str]:
    """The lines of the hover: what was divided by what, by which definition."""
    lines = [kpi.description] if kpi.description else []
    if not kpi.is_count:
        lines.append(t("kpi.numerator", value=format_part(t, kpi.numerator)))
        lines.append(t("kpi.denominator", value=format_part(t, kpi.denominator)))
    if kpi.formula:
        lines.append(t("kpi.formula", formula=kpi.formula))
    lines.append(t("kpi.version", version=kpi.version))
    return lines


def _value(t: Translator, kpi: Kpi, small: bool) -> Any:
    if kpi.value is None:
        # A base of zero has no value; a dash and the reason stand in its place.
        reason = t("rights.hidden" if kpi.is_hidden else "kpi.no_contacts")
        shown: list[Any] = [EMPTY, " ", html.Span(reason, className="kpi-empty-reason")]
        spoken = f"{EMPTY} {reason}"
    else:
        spoken = format_value(t, kpi.value, kpi.unit)
        shown = [spoken]
    return dmc.Tooltip(
        html.Button(
            shown,
            type="button",
            className="kpi-value",
            **{"aria-label": f"{spoken}. {t('kpi.explain', name=kpi.name)}"},
        ),
        label=html.Div([html.P(line) for line in explanation(t, kpi)], className="hover-text"),
        multiline=True,
        w=300,
        position="bottom-start",
        events={"hover": True, "focus": True, "touch": True},
        withArrow=True,
        boxWrapperProps={"className": "kpi-value-box"},
    )


def _change(t: Translator, kpi: Kpi) -> html.Div:
    if not kpi.has_comparison:
        return html.Div(t("kpi.no_comparison"), className="kpi-change")
    change = describe_change(t, kpi.value, kpi.before, kpi.unit, kpi.direction)
    before = t("kpi.versus", value=format_value(t, kpi.before, kpi.unit))
    if change is None:
        return html.Div(html.Span(before, className="kpi-before"), className="kpi-change")
    words = [html.Span(change.arrow, className="kpi-arrow", title=change.words, **{"aria-hidden": "true"})]
    words.append(html.Span(change.words, className="visually-hidden"))
    words.append(html.Span(change.absolute))
    if change.relative:
        words.append(html.Span(f"({change.relative})"))
    return html.Div(
        [html.Span(words, className=f"change change-{change.meaning}"), html.Span(before, className="kpi-before")],
        className="kpi-change",
    )


def _interval(t: Translator, kpi: Kpi) -> html.Div:
    if kpi.low is None or kpi.high is None:
        text = t("kpi.total_only") if kpi.is_count else t("kpi.no_interval")
    else:
        bounds = t("kpi.interval", low=format_value(t, kpi.low, kpi.unit), high=format_value(t, kpi.high, kpi.unit))
        text = f"{t('kpi.interval_label')} {bounds}"
    return html.Div(text, className="kpi-interval")


def _small_note(t: Translator, kpi: Kpi) -> html.Div:
    reason = t("kpi.small_base_reason", n=t.integer(kpi.n), minimum=t.integer(kpi.minimum_base))
    return html.Div([html.Strong(t("kpi.small_base")), " ", reason], className="kpi-small-note")


def _course(t: Translator, kpi: Kpi) -> html.Img | html.Div:
    known = [value for value in kpi.course if value is not None]
    if not known:
        return html.Div(
            className="kpi-course kpi-course-empty",
            role="img",
            **{"aria-label": t("kpi.sparkline_empty", name=kpi.name)},
        )
    if len(known) < LEAST_COURSE:
        return html.Div(t("kpi.few_points"), className="kpi-course kpi-course-few")
    words = t(
        "kpi.sparkline",
        name=kpi.name,
        first=format_value(t, known[0], kpi.unit),
        last=format_value(t, known[-1], kpi.unit),
        low=format_value(t, min(known), kpi.unit),
        high=format_value(t, max(known), kpi.unit),
    )
    if kpi.limits_note:
        words = f"{words}. {kpi.limits_note}"
    source = sparkline_uri(
        kpi.course, target=kpi.target, last_incomplete=kpi.last_incomplete, limits=kpi.limits, outside=kpi.outside
    )
    return html.Img(src=source, alt=words, width=WIDTH, height=HEIGHT, className="kpi-course")


def _target(t: Translator, kpi: Kpi) -> html.Span:
    if kpi.target is None:
        return html.Span(t("kpi.no_target"), className="kpi-target")
    text = t("kpi.target", value=format_value(t, kpi.target, kpi.unit))
    if kpi.value is None or kpi.direction not in ("up", "down") or kpi.is_small_base:
        return html.Span(text, className="kpi-target")
    met = kpi.value >= kpi.target if kpi.direction == "up" else kpi.value <= kpi.target
    word = t("kpi.target_met") if met else t("kpi.target_missed")
    return html.Span(
        [text, " · ", html.Span(word, className="target-met" if met else "target-missed")], className="kpi-target"
    )


def _base(t: Translator, kpi: Kpi) -> html.Span:
    # What a number without an interval is divided by need not be cases: it may be money.
    is_cases = kpi.low is not None or kpi.value is None or kpi.unit in ("seconds", "minutes")
    words = t("kpi.n", n=t.integer(kpi.n)) if is_cases else t("kpi.base", value=t.integer(kpi.n))
    parts = [] if kpi.is_count else [words]
    parts.append(t("kpi.until", day=t.short_date(kpi.until)))
    text = " · ".join(parts)
    if kpi.rows_href is None:
        return html.Span(text, className="kpi-base")
    link = dcc.Link(
        t("rows.link"), href=kpi.rows_href, className="quiet-link", title=t("rows.link_title", name=kpi.name)
    )
    return html.Span([html.Span(text), " · ", link], className="kpi-base")
