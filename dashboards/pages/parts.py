"""What pages are put together from: cards, courses and splits of metrics of the catalogue, under the filters of the view.

Every metric is narrowed by those filters whose dimension it has; what it is not narrowed by stands under it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
from dash import html

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, legend, plain_table
from dashboards.components.kpi import Kpi, kpi_card
from dashboards.components.section import page_head
from dashboards.components.tabs import tabs
from dashboards.components.values import format_part, format_value
from dashboards.data import headlines, queries
from dashboards.data.queries import MetricInfo
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.figures.trend import (
    TrendStyle,
    choose_grain,
    complete_course,
    incomplete_buckets,
    is_small,
    is_target_near,
    lines_figure,
    trend_figure,
)
from dashboards.i18n import Translator
from dashboards.pages.base import PageContext
from dashboards.state import Span

_GRAINS = ("day", "week", "month", "quarter", "year")
_A_YEAR = 364
MOST_SLICES = 12


def period_details(context: PageContext) -> list[Any]:
    """What the numbers of a page cover, for its head."""
    t, span, before = context.t, context.span, context.comparison_span
    details = [
        html.Div(t("filter.shown", period=t.period(span.start, span.end), days=t.integer(span.days)), className="shown")
    ]
    if before is not None:
        details.append(html.Div(t("filter.compared", period=t.period(before.start, before.end))))
    return details


def tabbed_page(
    context: PageContext,
    key: str,
    path: str,
    by_tab: Mapping[str, Callable[[PageContext], list[Any]]],
    *,
    words: str | None = None,
    details: Sequence[Any] = (),
) -> html.Div:
    """A page of several tabs with the one that the address asks for, the first one otherwise.

    Args:
        key: names the texts of the page, `page.<key>`.
        by_tab: what stands on each tab, in their order.
        words: names the texts of the tabs, `<words>.tab_<tab>`; default `key`.
        details: what the numbers cover (`period_details`).
    """
    t = context.t
    asked = context.view.of_page("tab")
    current = asked if asked in by_tab else next(iter(by_tab))
    entries = [(tab, t(f"{words or key}.tab_{tab}"), context.link(path, tab=tab)) for tab in by_tab]
    return html.Div(
        [
            page_head(t(f"page.{key}.title"), t(f"page.{key}.lead"), *details),
            tabs(t(f"page.{key}.name"), entries, current),
            *by_tab[current](context),
        ]
    )


def definition_href(context: PageContext, metric: MetricInfo) -> str:
    """Address of the definition of a metric, with the filters of the view."""
    return context.link("/definitions", family=metric.family)


def rows_href(context: PageContext, metric: MetricInfo) -> str:
    """Address of the rows behind a metric, with the filters of the view."""
    return context.link("/rows", metric=metric.name)


def not_narrowed(t: Translator, dimensions: Sequence[str]) -> str | None:
    """The remark that a number is not narrowed by some filters."""
    if not dimensions:
        return None
    return t("part.not_narrowed", names=t("part.and").join(dimension_name(t, name) for name in dimensions))


def left_out(context: PageContext, frame: pl.DataFrame) -> str | None:
    """The remark that a reader with rights of their own is not told some values of a split: those have no value in the frame."""
    if not context.snapshot.viewer.is_limited or not frame["value"].null_count():
        return None
    return context.t("rights.left_out")


def dimension_name(t: Translator, name: str) -> str:
    """A dimension in the reader's language; one without words is shown as it is."""
    return t(f"dimension.{name}") if t.has(f"dimension.{name}") else name.replace("_", " ")


def heading(text: str) -> str:
    """A word as it begins a heading."""
    return text[:1].upper() + text[1:]


def value_name(t: Translator, labels: Mapping[str, str], value: str | None) -> str:
    """A value of a dimension in the reader's language; a code that nobody has put into words is shown with spaces."""
    if value is None:
        return t("part.no_value")
    if value == "unknown" and value not in labels:
        return t("customer.unknown")
    return labels.get(value, value if labels else value.replace("_", " "))


_PAGES = {
    "complaints": ("complaints", "/complaints"),
    "fct_tickets": ("tickets", "/tickets"),
    "fct_calls": ("contact_centre", "/contact-centre"),
    "fct_survey_answers": ("satisfaction", "/satisfaction"),
    "fct_survey_invitations": ("satisfaction", "/satisfaction?tab=who"),
}
"""The page that tells more of a metric: by its name, else by the mart that it counts."""


def page_behind(context: PageContext, metric: MetricInfo) -> tuple[str, str] | None:
    """Name and address of the page behind a metric, with the filters of the view; None = there is none."""
    found = _PAGES.get(metric.name) or _PAGES.get(metric.model or "")
    if found is None:
        return None
    path, _, tab = found[1].partition("?tab=")
    return context.t(f"page.{found[0]}.name"), context.link(path, **({"tab": tab} if tab else {}))


# Cards


def _limits(
    context: PageContext, metric: MetricInfo, course: pl.DataFrame, grain: str, cut: set[date]
) -> tuple[list[tuple[float, float] | None], list[int], str | None]:
    """Control limits at each point of a course, the points outside, and the words for them.

    By day the weekdays differ, so only a chart that knows them has limits: that of the metric and unit. Longer periods have those of
    their own points; the incomplete ones are neither counted nor judged.
    """
    t = context.t
    days, values = course["metric_time"].to_list(), course["value"].to_list()
    if grain == "day":
        rows = {
            row["counted_on"]: row
            for row in headlines.control_days(context.snapshot, metric.name, context.filters(context.span))
        }
        if not rows:
            return [], [], t("kpi.no_day_limits")
        limits: list[tuple[float, float] | None] = [
            (rows[day]["lower"], rows[day]["upper"]) if day in rows else None for day in days
        ]
        outside = [index for index, day in enumerate(days) if day in rows and rows[day]["is_signal"]]
        return limits, outside, t("kpi.chart_limits", n=t.integer(len(outside)))
    complete = [None if day in cut else value for day, value in zip(days, values, strict=True)]
    found = headlines.individual_limits(
        complete,
        lowest=0.0 if metric.unit != "points" else -100.0,
        highest={"share": 1.0, "points": 100.0}.get(metric.unit or ""),
    )
    if found is None:
        return [], [], t("kpi.no_limits", n=t.integer(headlines.LEAST_POINTS))
    outside = [index for index, value in enumerate(complete) if value is not None and not found[0] <= value <= found[1]]
    shown = t("kpi.interval", low=format_value(t, found[0], metric.unit), high=format_value(t, found[1], metric.unit))
    return [found] * len(values), outside, t("kpi.limits", limits=shown, n=t.integer(len(outside)))


def kpis(
    context: PageContext, metrics: Sequence[MetricInfo], courses_by: str | None = None, *, is_headline: bool = False
) -> list[Kpi]:
    """Metrics computed for the view, as cards show them.

    Args:
        is_headline: with control limits of the course and a link to the page behind the number.
    """
    t, span, before = context.t, context.span, context.comparison_span
    found = []
    for metric in metrics:
        grain = courses_by or course_grain(metric, span)
        courses = course_span(metric, span) if courses_by is None else span
        cut = incomplete_buckets(courses.start, courses.end, grain, context.last_complete_day)
        filters, unknown = metric.narrowed(context.filters(span))
        value = queries.metric_values(context.snapshot, [metric.name], filters)[metric.name]
        earlier = None
        if before is not None:
            slice_before, _ = metric.narrowed(context.filters(before))
            earlier = queries.metric_values(context.snapshot, [metric.name], slice_before)[metric.name]
        slice_shown, _ = metric.narrowed(context.filters(courses))
        frame = queries.metric_courses(context.snapshot, [metric.name], grain, slice_shown)[metric.name]
        course = complete_course(frame, courses.start, courses.end, grain)
        days = course["metric_time"].to_list()
        # A first bucket that the span cuts would begin the course with a leap; the last one is drawn hollow.
        shown = [
            None if index == 0 and day in cut and len(days) > 1 else number
            for index, (day, number) in enumerate(zip(days, course["value"].to_list(), strict=True))
        ]
        limits, outside, limits_note = _limits(context, metric, course, grain, cut) if is_headline else ([], [], None)
        found.append(
            Kpi(
                key=metric.name,
                name=metric.label(t),
                description=metric.description(t),
                formula=metric.formula,
                unit=metric.unit,
                direction=metric.direction,
                version=str(metric.version),
                value=value.value,
                numerator=value.numerator,
                denominator=value.denominator,
                low=value.low,
                high=value.high,
                n=value.n,
                is_small_base=value.is_small_base,
                is_hidden=value.is_hidden,
                minimum_base=metric.minimum_base,
                target=metric.target,
                is_count=metric.is_count or metric.type == "stock",
                has_comparison=before is not None,
                before=earlier.value if earlier else None,
                course=shown,
                last_incomplete=bool(course.height) and course["metric_time"][-1] in cut,
                until=min(span.end, context.last_day),
                href=definition_href(context, metric),
                rows_href=rows_href(context, metric),
                note=not_narrowed(t, unknown),
                limits=limits,
                outside=outside,
                limits_note=limits_note,
                page=page_behind(context, metric) if is_headline else None,
            )
        )
    return found


def cards(context: PageContext, names: Sequence[str]) -> Any:
    """The cards of some metrics; those that the snapshot does not have are left out."""
    found = kpis(context, queries.known_metrics(context.snapshot, names))
    if not found:
        return states.empty(context.t, context.t("state.empty.no_metric"))
    return html.Div([kpi_card(context.t, kpi) for kpi in found], className="kpis")


# Courses


def course_grain(metric: MetricInfo, span: Span) -> str:
    """The grain of a course: fine enough for the period, not finer than the metric is meant for."""
    return max(choose_grain(span.days), metric.default_grain, key=_GRAINS.index)


def course_span(metric: MetricInfo, span: Span) -> Span:
    """The days that a course covers: a metric by month or quarter goes back a year at least, or there would be no course."""
    if course_grain(metric, span) in ("day", "week"):
        return span
    return Span(min(span.start, span.end - timedelta(days=_A_YEAR)), span.end)


def style_of(t: Translator, metric: MetricInfo, grain: str) -> TrendStyle:
    """What a figure needs to know of a metric."""
    return TrendStyle(
        name=metric.label(t),
        unit=metric.unit,
        grain=grain,
        minimum_base=metric.minimum_base,
        target=metric.target,
        is_count=metric.is_count,
    )


def trends(context: PageContext, names: Sequence[str]) -> Any:
    """One panel a metric: its course with interval, and the same as a table."""
    found = trend_panels(context, names)
    return panels(*found) if found else states.empty(context.t, context.t("state.empty.no_metric"))


def trend_panels(context: PageContext, names: Sequence[str]) -> list[html.Div]:
    """The same as panels to be put beside others; metrics that the snapshot does not have are left out."""
    return [trend_panel(context, metric) for metric in queries.known_metrics(context.snapshot, names)]


def trend_panel(context: PageContext, metric: MetricInfo) -> html.Div:
    """The course of one metric."""
    t = context.t
    grain, span = course_grain(metric, context.span), course_span(metric, context.span)
    filters, unknown = metric.narrowed(context.filters(span))
    frame = queries.metric_courses(context.snapshot, [metric.name], grain, filters)[metric.name]
    course = complete_course(frame, span.start, span.end, grain)
    cut = incomplete_buckets(span.start, span.end, grain, context.last_complete_day)
    style = style_of(t, metric, grain)
    key = f"trend-{metric.name}"
    remark = _remarks(t, not_narrowed(t, unknown))
    if course["value"].null_count() == course.height:
        return empty_panel(t, key, style.name, t("kpi.no_contacts"), remark)
    note = t(f"grain.{grain}")
    if style.target is not None and not is_target_near(course, style.target):
        remark += _remarks(t, t("part.far_target", value=format_value(t, style.target, style.unit)))
    if metric.is_count:
        total = float(course["value"].sum() or 0)
        note = f"{note} · {t('trend.answers', n=format_value(t, total, metric.unit))}"
    return chart_panel(
        t,
        key,
        style.name,
        trend_figure(course, t, style, cut),
        label=t("trend.chart_label", name=style.name, grain=t(f"grain.{grain}"), period=t.period(span.start, span.end)),
        note=note,
        href=definition_href(context, metric),
        below=[
            _trend_legend(t, style, course, cut),
            *remark,
            as_table(t, _trend_table(t, style, course, cut, metric.has_parts)),
        ],
        metric=metric.name,
        data=course,
        rows_href=rows_href(context, metric),
    )


def pair_panel(context: PageContext, names: Sequence[str], title: str, words: Sequence[str], key: str) -> html.Div:
    """Courses of a few metrics of one unit in one chart, such as raw beside weighted.

    Args:
        words: what the legend calls each of them.
    """
    t = context.t
    found = [
        (metric, word)
        for name, word in zip(names, words, strict=True)
        for metric in queries.known_metrics(context.snapshot, [name])
    ]
    if not found:
        return empty_panel(t, key, title, t("state.empty.no_metric"), [])
    grain = max((course_grain(metric, context.span) for metric, _ in found), key=_GRAINS.index)
    coarsest = max(
        (metric for metric, _ in found), key=lambda metric: _GRAINS.index(course_grain(metric, context.span))
    )
    span = course_span(coarsest, context.span)
    cut = incomplete_buckets(span.start, span.end, grain, context.last_complete_day)
    courses, left_out = [], []
    for metric, word in found:
        filters, unknown = metric.narrowed(context.filters(span))
        left_out += [name for name in unknown if name not in left_out]
        frame = queries.metric_courses(context.snapshot, [metric.name], grain, filters)[metric.name]
        courses.append((word, complete_course(frame, span.start, span.end, grain)))
    remark = _remarks(t, not_narrowed(t, left_out))
    if all(course["value"].null_count() == course.height for _, course in courses):
        return empty_panel(t, key, title, t("kpi.no_contacts"), remark)
    first = found[0][0]
    style = style_of(t, first, grain)
    rows = []
    for index, day in enumerate(courses[0][1]["metric_time"].to_list()):
        cells = [t.grain_label(day, grain)]
        for _, course in courses:
            cells += [
                format_value(t, course["value"][index], first.unit),
                _interval(t, course.row(index, named=True), first.unit),
            ]
        rows.append(cells)
    names_of = [t("trend.period_column")] + [text for _, word in found for text in (word, t("trend.interval_column"))]
    return chart_panel(
        t,
        key,
        title,
        lines_figure(courses, t, style, cut),
        label=t("trend.chart_label", name=title, grain=t(f"grain.{grain}"), period=t.period(span.start, span.end)),
        note=t(f"grain.{grain}"),
        href=definition_href(context, first),
        below=[
            _trend_legend(t, style, courses[0][1], cut),
            *remark,
            as_table(t, plain_table(names_of, rows, last_is_text=False)),
        ],
        metric=first.name,
        data=pl.concat([course.select(pl.lit(word).alias("series"), pl.all()) for word, course in courses]),
    )


def _remarks(t: Translator, *texts: str | None) -> list[Any]:
    return [html.P(text, className="remark") for text in texts if text]


def empty_panel(t: Translator, key: str, title: str, text: str, below: Sequence[Any] = ()) -> html.Div:
    """A panel in which there is nothing to draw."""
    return html.Div([html.H3(title, id=key), states.empty(t, text), *below], className="panel")


def _trend_legend(t: Translator, style: TrendStyle, course: pl.DataFrame, cut: set[date]) -> html.Ul:
    entries = []
    if course["low"].null_count() < course.height:
        entries.append(("key key-band", t("trend.interval")))
    if any(day in cut for day in course["metric_time"].to_list()):
        entries.append(("key key-pale" if style.is_count else "key key-hollow", t("trend.incomplete")))
    if any(is_small(style, row) for row in course.to_dicts()):
        entries.append(("key key-grey", t("trend.small_base")))
    return legend(entries)


def _interval(t: Translator, row: Mapping[str, Any], unit: str | None) -> str:
    if row["low"] is None or row["high"] is None:
        return t("kpi.no_interval")
    return t("kpi.interval", low=format_value(t, row["low"], unit), high=format_value(t, row["high"], unit))


def _trend_table(t: Translator, style: TrendStyle, course: pl.DataFrame, cut: set[date], has_parts: bool) -> html.Table:
    names = [t("trend.period_column"), t("trend.value")]
    if has_parts:
        names += [t("trend.interval_column"), t("trend.numerator"), t("trend.denominator")]
    names.append(t("trend.state_column"))
    rows = []
    for row in course.to_dicts():
        notes = []
        if row["metric_time"] in cut:
            notes.append(t("trend.incomplete"))
        if row["value"] is None:
            notes.append(t("kpi.no_contacts"))
        elif is_small(style, row):
            notes.append(t("kpi.small_base"))
        cells = [t.grain_label(row["metric_time"], style.grain), format_value(t, row["value"], style.unit)]
        if has_parts:
            cells += [
                _interval(t, row, style.unit),
                format_part(t, row["numerator"]),
                format_part(t, row["denominator"]),
            ]
        cells.append(", ".join(notes))
        rows.append(cells)
    return plain_table(names, rows)


# Splits


def split_panel(
    context: PageContext,
    name: str,
    by: str,
    *,
    order: str = "value",
    as_bars: bool | None = None,
    title: str | None = None,
    keep: Sequence[str] | None = None,
    where: Mapping[str, tuple[str, ...]] | None = None,
    span: Span | None = None,
) -> html.Div:
    """A metric by the values of one dimension: picture and table, the largest base kept when there are many.

    Args:
        order: value (worst first where the metric has a better direction, else largest first), n, or key (as the values sort).
        keep: only these values, in this order.
        where: further dimensions of the metric and the values to keep.
        span: other days than those of the view; they are named under the picture.
    """
    t = context.t
    found = queries.known_metrics(context.snapshot, [name])
    key = f"by-{name}-{by}".replace("_", "-")
    if not found or by not in found[0].dimensions:
        return empty_panel(t, key, title or name, t("state.empty.no_metric"))
    metric = found[0]
    named = title or t("part.by", name=metric.label(t), dimension=dimension_name(t, by))
    filters, unknown = metric.narrowed(replace(context.filters(span or context.span), where=where or {}))
    rows = queries.metric_slices(context.snapshot, name, [by], filters).filter(pl.col("value").is_not_null()).to_dicts()
    remark = not_narrowed(t, unknown)
    if span is not None and span != context.span:
        remark = " ".join(filter(None, [t("part.other_days", period=t.period(span.start, span.end)), remark]))
    if keep is not None:
        rows = sorted((row for row in rows if row[by] in keep), key=lambda row: keep.index(row[by]))
    if not rows:
        return empty_panel(t, key, named, t("kpi.no_contacts"), _remarks(t, remark))
    left_out = 0
    if len(rows) > MOST_SLICES:
        left_out = len(rows) - MOST_SLICES
        rows = sorted(rows, key=lambda row: (-(row["n"] or 0), str(row[by])))[:MOST_SLICES]
    if keep is None:
        rows = _ordered(rows, by, order, metric.direction)
    labels = queries.value_labels(context.snapshot, by, t.language)
    slices = [
        Slice(
            value_name(t, labels, row[by]),
            row["value"],
            row["low"],
            row["high"],
            row["numerator"],
            row["denominator"],
            row["n"],
            bool(row["is_small_base"]) and not metric.is_count,
        )
        for row in rows
    ]
    bars = as_bars if as_bars is not None else (metric.is_count or metric.type == "stock")
    overall = None
    if not bars:
        overall = queries.metric_values(context.snapshot, [name], filters)[name].value
    below = []
    if overall is not None:
        below.append(t("part.overall", value=format_value(t, overall, metric.unit)))
    if metric.target is not None and not bars:
        below.append(t("part.target_line", value=format_value(t, metric.target, metric.unit)))
    if left_out:
        below.append(t("part.left_out", count=t.integer(left_out), shown=t.integer(MOST_SLICES)))
    entries = []
    if any(one.low is not None for one in slices):
        entries.append(("key key-whisker", t("trend.interval")))
    if any(one.is_small for one in slices):
        entries.append(("key key-grey", t("trend.small_base")))
    return chart_panel(
        t,
        key,
        named,
        slices_figure(t, slices, metric.unit, target=metric.target, overall=overall, as_bars=bars),
        label=t("part.chart_label", name=named, period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(slices)),
        href=definition_href(context, metric),
        below=[
            legend(entries),
            *_remarks(t, remark, *below),
            as_table(t, slice_table(t, slices, metric.unit, dimension_name(t, by), metric.has_parts)),
        ],
        metric=name,
        data=pl.DataFrame(rows, infer_schema_length=None).select(
            pl.Series("label", [one.label for one in slices], dtype=pl.String), pl.all()
        ),
        rows_href=rows_href(context, metric),
    )


def _ordered(rows: list[dict[str, Any]], by: str, order: str, direction: str | None) -> list[dict[str, Any]]:
    if order == "key":
        return sorted(rows, key=lambda row: (row[by] is None, str(row[by])))
    column = "n" if order == "n" else "value"
    sign = 1 if column == "value" and direction == "up" else -1
    return sorted(rows, key=lambda row: (sign * (row[column] or 0), str(row[by])))


def slice_table(t: Translator, slices: Sequence[Slice], unit: str | None, first: str, has_parts: bool) -> html.Table:
    """The rows of a split as a table."""
    names = [heading(first), t("trend.value")]
    if has_parts:
        names += [t("trend.interval_column"), t("trend.numerator"), t("trend.denominator")]
    rows = []
    for one in slices:
        cells = [one.label, format_value(t, one.value, unit)]
        if has_parts:
            cells += [
                _interval(t, {"low": one.low, "high": one.high}, unit),
                format_part(t, one.numerator),
                format_part(t, one.denominator),
            ]
        rows.append(cells)
    return plain_table(names, rows, last_is_text=False)


def panels(*found: Any) -> html.Div:
    """Panels side by side, one under another where there is no room."""
    return html.Div([one for one in found if one is not None], className="charts")
