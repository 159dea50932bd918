"""Panels of the satisfaction page: waves, comments, who answers and how, service gaps, ways to measure, the index taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
from dash import dcc, html

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, legend, plain_table
from dashboards.components.grid import Column, data_grid
from dashboards.components.values import format_value
from dashboards.data import queries
from dashboards.data import satisfaction as asked
from dashboards.data.customers import Words
from dashboards.figures.bridge import Step, bridge_figure
from dashboards.figures.matrix import matrix_figure, matrix_height
from dashboards.figures.radar import Ring, radar_figure
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.figures.trend import choose_grain, next_bucket
from dashboards.i18n import EMPTY, Translator
from dashboards.pages import parts
from dashboards.pages.base import PageContext
from dashboards.state import Span

RADAR_HEIGHT = 340
BRIDGE_HEIGHT = 280
MOST_COMMENTS = 500
MOST_GROUPS = 8
MOST_POINTS = 16
TOPICS_OF_A_POINT = 3
LATENT = ("image", "expectation", "quality", "value", "satisfaction", "loyalty")
_A_YEAR = timedelta(days=364)


def _year(context: PageContext) -> Span:
    """A year up to the last day of the view: surveys in waves have no answers in most months."""
    span = context.span
    return Span(min(span.start, span.end - _A_YEAR), span.end)


def _range(t: Translator, low: float | None, high: float | None, digits: int = 1) -> str:
    if low is None or high is None:
        return t("kpi.no_interval")
    return t("kpi.interval", low=t.number(low, digits), high=t.number(high, digits))


def _remark(text: str | None) -> list[Any]:
    return [html.P(text, className="remark")] if text else []


def _whole(context: PageContext) -> list[Any]:
    """What is computed over the whole organisation is not changed by the filters, and is not there for a limited reader."""
    return _remark(context.t("satisfaction.whole"))


# Waves and comments


def waves(context: PageContext, name: str) -> html.Div:
    """A metric by wave of its surveys."""
    span = _year(context)
    found = queries.known_metrics(context.snapshot, [name])
    label = found[0].label(context.t) if found else name
    title = context.t("part.by", name=label, dimension=parts.dimension_name(context.t, "wave"))
    frame = pl.DataFrame()
    if found and "wave" in found[0].dimensions:
        filters, _ = found[0].narrowed(context.filters(span))
        frame = queries.metric_slices(context.snapshot, name, ["wave"], filters)
    known = [
        row["wave"] for row in frame.to_dicts() if row["value"] is not None and row["wave"] not in (None, "unknown")
    ]
    return parts.split_panel(context, name, "wave", keep=sorted(known), title=title, span=span)


def comments(context: PageContext) -> list[Any]:
    """What comments speak of, point by point, and the answers they stand in."""
    t = context.t
    return [
        parts.panels(
            parts.split_panel(
                context, "comment_mentions", "comment_topic", as_bars=True, title=t("satisfaction.by_topic")
            ),
            parts.split_panel(context, "comment_topic_csat", "comment_topic", title=t("satisfaction.csat_by_topic")),
            _comment_points(context),
        ),
        *_comment_list(context),
    ]


def _comment_points(context: PageContext) -> html.Div:
    """Each point of the courses with what its comments speak of; a point leads to its own comments."""
    t, span = context.t, context.span
    title = t("satisfaction.by_point")
    metrics = queries.known_metrics(context.snapshot, ["csat_top2", "survey_comments", "comment_mentions"])
    if len(metrics) < 3:
        return parts.empty_panel(t, "comment-points", title, t("state.empty.no_metric"))
    grain = choose_grain(span.days)
    filters, unknown = metrics[2].narrowed(context.filters(span))
    topics: dict[date, list[tuple[str, float]]] = {}
    for row in asked.comment_points(context.snapshot, filters, grain).to_dicts():
        if row["mentions"]:
            topics.setdefault(row["metric_time"], []).append((row["comment_topic"], row["mentions"]))
    courses = {
        metric.name: {
            row["metric_time"]: row
            for row in queries.metric_courses(context.snapshot, [metric.name], grain, metric.narrowed(filters)[0])[metric.name].to_dicts()
        }
        for metric in metrics[:2]
    }  # fmt: skip
    days = sorted({*topics, *courses["survey_comments"]}, reverse=True)
    if not days:
        return parts.empty_panel(t, "comment-points", title, t("satisfaction.no_comments"))
    words = queries.value_labels(context.snapshot, "comment_topic", t.language)
    head = [
        t("trend.period_column"),
        metrics[0].label(t),
        t("trend.n"),
        metrics[1].label(t),
        t("satisfaction.speak_of"),
    ]
    rows = []
    for day in days[:MOST_POINTS]:
        csat = courses["csat_top2"].get(day, {})
        count = courses["survey_comments"].get(day, {}).get("value")
        said = t("part.and").join(
            f"{words.get(topic, topic)} {t.integer(n)}" for topic, n in topics.get(day, [])[:TOPICS_OF_A_POINT]
        )
        point = dcc.Link(
            t.grain_label(day, grain),
            href=_point_href(context, day, grain),
            className="quiet-link",
            title=t("satisfaction.open_point"),
        )
        rows.append(
            html.Tr(
                [
                    html.Th(point, scope="row"),
                    html.Td(format_value(t, csat.get("value"), metrics[0].unit)),
                    html.Td(t.integer(csat.get("n") or 0)),
                    html.Td(t.integer(count) if count is not None else EMPTY),
                    html.Td(said or EMPTY, className="wraps"),
                ]
            )
        )  # fmt: skip
    table = html.Table(
        [html.Thead(html.Tr([html.Th(name, scope="col") for name in head])), html.Tbody(rows)], className="plain-table"
    )
    notes = [t("satisfaction.point_lead"), parts.not_narrowed(t, unknown)]
    if len(days) > MOST_POINTS:
        notes.append(t("satisfaction.newest_points", shown=t.integer(MOST_POINTS), total=t.integer(len(days))))
    return html.Div(
        [
            html.H3(title, id="comment-points"),
            html.Div(table, className="table-scroll", tabIndex=0),
            *(html.P(note, className="remark") for note in notes if note),
        ],
        className="panel",
    )


def _point_href(context: PageContext, day: date, grain: str) -> str:
    """The same tab over the days of one point."""
    span = context.span
    start, end = max(day, span.start), min(next_bucket(day, grain) - timedelta(days=1), span.end)
    return f"/satisfaction{replace(context.view, period='custom', start=start, end=end).query()}"


def _comment_list(context: PageContext) -> list[Any]:
    t = context.t
    rows, total = asked.comments(context.snapshot, context.filters(context.span), limit=MOST_COMMENTS)
    heading = html.H3(t("satisfaction.comment_list"), className="list-head")
    if not rows:
        return [heading, states.empty(t, t("satisfaction.no_comments"))]
    words = Words(context.snapshot, t)
    shown = [
        {
            "day": row["responded_on"].isoformat(),
            "judgement": t(f"satisfaction.judgement_{row['judgement']}"),
            "topics": t("part.and").join(words("comment_topic", topic) for topic in row["topics"]),
            "survey": row["survey_id"],
            "unit": words("org_unit_id", row["org_unit_id"]),
            "channel": words("channel", row["channel"]),
            "product": words("product_line", row["product_line"]),
            "customer": row["customer_key"],
        }
        for row in rows
    ]
    columns = [
        Column("day", t("satisfaction.day"), width=125),
        Column("judgement", t("satisfaction.judgement"), width=150, wraps=True),
        Column("topics", t("satisfaction.speak_of"), "long", width=260, wraps=True),
        Column("survey", t("satisfaction.survey_column"), width=110),
        Column("unit", t("filter.unit"), width=150, wraps=True),
        Column("channel", t("filter.channel"), width=130, wraps=True),
        Column("product", t("filter.product"), width=110),
        Column("customer", t("customers.customer"), "customer", width=150),
    ]
    return [
        heading,
        data_grid(t, "comments-list", columns, shown, label=t("satisfaction.comment_list"), height_rows=10),
        html.P(t("satisfaction.comments_shown", shown=t.integer(len(rows)), total=t.integer(total)), className="lead"),
    ]


# Who answers


def groups(context: PageContext) -> list[Any]:
    """Of each survey: how far those who answered differ from those asked, and what the weights make of it."""
    t = context.t
    rows = asked.representation(context.snapshot, context.filters(context.span))
    if not rows:
        return [html.Div(states.empty(t, t("satisfaction.no_groups")), className="panel")]
    words = Words(context.snapshot, t)
    found = []
    for survey in sorted({row["survey_id"] for row in rows}):
        mine = [row for row in rows if row["survey_id"] == survey]
        # The groups that are missed most; the table has all.
        worst = sorted(mine, key=lambda row: (-abs(row["difference_points"] or 0.0), row["fact"], row["fact_value"]))[
            :MOST_GROUPS
        ]
        slices = [
            Slice(
                t("part.pair", name=words("survey_fact", row["fact"]), value=_group(words, row)), row["difference_points"], None, None, row["answered"], row["invited"],
                row["answered"], row["answered"] < 5,
            )
            for row in sorted(worst, key=lambda row: -(row["difference_points"] or 0.0))
        ]  # fmt: skip
        table = plain_table(
            [
                t("satisfaction.fact"), t("satisfaction.group"), t("satisfaction.invited"), t("satisfaction.answered"), t("satisfaction.rate"),
                t("satisfaction.of_invited"), t("satisfaction.of_answered"), t("satisfaction.of_weighted"),
            ],
            [
                [
                    words("survey_fact", row["fact"]), _group(words, row), t.integer(row["invited"]), t.integer(row["answered"]),
                    t.percent(row["response_rate"]), t.percent(row["share_of_invited"]), t.percent(row["share_of_answered"]),
                    t.percent(row["share_of_weighted"]),
                ]
                for row in mine
            ],
            last_is_text=False,
        )  # fmt: skip
        title = t("satisfaction.survey", survey=survey)
        found.append(
            chart_panel(
                t,
                f"groups-{survey}",
                title,
                slices_figure(t, slices, "points", as_bars=True),
                label=t("part.chart_label", name=f"{t('satisfaction.groups')}: {title}", period=mine[0]["period"]),
                height=figure_height(len(slices)),
                note=t("satisfaction.points_of_share"),
                below=[
                    legend([("key key-grey", t("trend.small_base"))] if any(one.is_small for one in slices) else []),
                    *_remark(t("satisfaction.groups_of", period=mine[0]["period"])),
                    as_table(t, table),
                ],
                data=pl.DataFrame(mine, infer_schema_length=None),
            )
        )
    return [parts.panels(*found)]


def _group(words: Words, row: Mapping[str, Any]) -> str:
    """The value of a fact about those asked; provinces are units, the others have labels of their own."""
    dimension = "org_unit_id" if row["fact"] == "province" else row["fact"]
    return words(dimension, row["fact_value"])


def silent(context: PageContext) -> list[Any]:
    """What those would have said who did not answer, and how far it could be off."""
    t = context.t
    rows = asked.silent(context.snapshot, context.filters(context.span))
    if not rows:
        return [html.Div(states.empty(t, t("satisfaction.no_silent")), className="panel")]
    metrics = {
        metric.name: metric
        for metric in queries.known_metrics(context.snapshot, sorted({row["metric"] for row in rows}))
    }
    cells = []
    for row in rows:
        metric = metrics.get(row["metric"])
        unit = metric.unit if metric else None

        def between(low: float | None, high: float | None, unit: str | None = unit) -> str:
            return (
                EMPTY
                if low is None or high is None
                else t("kpi.interval", low=format_value(t, low, unit), high=format_value(t, high, unit))
            )

        cells.append(
            [
                f"{row['survey_id']} · {metric.label(t) if metric else row['metric']}",
                row["period"],
                t.integer(row["invited"]),
                t.integer(row["answers"]),
                format_value(t, row["answered_value"], unit),
                format_value(t, row["silent_value"], unit),
                between(row["silent_low"], row["silent_high"]),
                format_value(t, row["population_value"], unit),
                between(row["population_lowest"], row["population_highest"]),
            ]
        )  # fmt: skip
    names = (
        "survey_column",
        "period",
        "invited",
        "answered",
        "they_said",
        "silent_value",
        "interval",
        "all_asked",
        "bounds",
    )
    return [_table_panel(context, "silent-table", [t(f"satisfaction.{name}") for name in names], cells, _whole(context), numbers=True)]  # fmt: skip


def modes(context: PageContext) -> list[Any]:
    """How much higher people answer in one mode than in another, other things being equal."""
    t = context.t
    rows = asked.mode_effects(context.snapshot)
    if not rows:
        return [html.Div(states.empty(t, t("satisfaction.no_modes")), className="panel")]
    words = Words(context.snapshot, t)
    found = []
    for survey in sorted({row["survey_id"] for row in rows}):
        mine = [row for row in rows if row["survey_id"] == survey]
        others = [row for row in mine if row["mode"] != row["reference_mode"]]
        reference = words("channel", mine[0]["reference_mode"])
        title = t("satisfaction.survey", survey=survey)
        if not others:
            found.append(parts.empty_panel(t, f"modes-{survey}", title, t("satisfaction.one_mode", mode=reference)))
            continue
        slices = [
            Slice(words("channel", row["mode"]), row["effect"], row["effect_low"], row["effect_high"], None, None, row["answers"])
            for row in others
        ]  # fmt: skip
        table = plain_table(
            [t("satisfaction.mode"), t("trend.n"), t("satisfaction.mean_score"), t("satisfaction.raw_difference"), t("satisfaction.mode_effect"), t("trend.interval_column")],
            [
                [
                    words("channel", row["mode"]), t.integer(row["answers"]), t.number(row["mean_score"]), t.signed(row["raw_difference"]),
                    t.signed(row["effect"]), _range(t, row["effect_low"], row["effect_high"]),
                ]
                for row in mine
            ],
            last_is_text=False,
        )  # fmt: skip
        found.append(
            chart_panel(
                t,
                f"modes-{survey}",
                title,
                slices_figure(t, slices, "points", overall=0.0),
                label=t(
                    "part.chart_label", name=f"{t('satisfaction.modes')}: {title}", period=t.date(mine[0]["as_of"])
                ),
                height=figure_height(len(slices)),
                note=t("satisfaction.against_mode", mode=reference),
                below=[
                    legend([("key key-whisker", t("trend.interval"))]),
                    *_whole(context),
                    as_table(t, table),
                ],
                data=pl.DataFrame(mine, infer_schema_length=None),
            )
        )
    return [parts.panels(*found)]


def _table_panel(
    context: PageContext, key: str, head: Sequence[str], cells: Sequence[Sequence[str]], below: Sequence[Any] = (), *,
    title: str | None = None, numbers: bool = False,
) -> html.Div:  # fmt: skip
    """A table as a panel of its own."""
    table = plain_table(head, cells, last_is_text=not numbers)
    return html.Div(
        [html.H3(title, id=key) if title else None, html.Div(table, className="table-scroll", tabIndex=0), *below],
        className="panel",
    )


# Service quality


def indicators(context: PageContext, names: Sequence[str]) -> list[Any]:
    """Cards over a year: most of these indicators are asked in waves."""
    span = _year(context)
    whole = PageContext(
        context.snapshot, replace(context.view, period="custom", start=span.start, end=span.end), context.t
    )
    return [
        parts.cards(whole, names),
        *_remark(context.t("part.other_days", period=context.t.period(span.start, span.end))),
    ]


def quality(context: PageContext) -> list[Any]:
    """Expectation and perception by dimension of the service, and the gap between them."""
    return [
        parts.panels(
            _radar(context),
            parts.split_panel(
                context,
                "servqual_dimension_gap",
                "dimension",
                span=_year(context),
                title=context.t("satisfaction.gap_by_dimension"),
            ),
            parts.split_panel(
                context,
                "servqual_stated_importance",
                "dimension",
                as_bars=True,
                span=_year(context),
                title=context.t("satisfaction.importance_by_dimension"),
            ),
            waves(context, "servqual_gap"),
            parts.pair_panel(
                context,
                ("better_than_expected", "worse_than_expected"),
                context.t("satisfaction.disconfirmation"),
                (context.t("satisfaction.better"), context.t("satisfaction.worse")),
                "disconfirmation",
            ),
            parts.split_panel(context, "disconfirmation", "customer_kind", span=_year(context)),
        )
    ]


def _radar(context: PageContext) -> html.Div:
    t, span = context.t, _year(context)
    title = t("satisfaction.radar")
    names = ("servqual_dimension_expectation", "servqual_dimension_perception", "servqual_dimension_gap")
    metrics = queries.known_metrics(context.snapshot, names)
    if len(metrics) < len(names):
        return parts.empty_panel(t, "radar", title, t("state.empty.no_metric"))
    filters, unknown = metrics[0].narrowed(context.filters(span))
    found = {
        metric.name: {
            row["dimension"]: row
            for row in queries.metric_slices(context.snapshot, metric.name, ["dimension"], filters).to_dicts()
            if row["value"] is not None
        }
        for metric in metrics
    }
    axes = [name for name in found[names[0]] if name in found[names[1]]]
    if len(axes) < 3:
        return parts.empty_panel(t, "radar", title, t("satisfaction.no_quality"))
    labels = queries.value_labels(context.snapshot, "dimension", t.language)
    rings = []
    for metric, word in zip(metrics[:2], ("expected", "found"), strict=True):
        mine = found[metric.name]
        rings.append(
            Ring(
                t(f"satisfaction.{word}"),
                [mine[axis]["value"] for axis in axes],
                [
                    f"<b>{labels.get(axis, axis)}</b><br>{t(f'satisfaction.{word}')}: {t.number(mine[axis]['value'])}"
                    f"<br>{t('trend.interval')}: {_range(t, mine[axis]['low'], mine[axis]['high'])}<br>{t('trend.n')}: {t.integer(mine[axis]['n'])}"
                    for axis in axes
                ],
            )
        )  # fmt: skip
    gaps = found[names[2]]
    table = plain_table(
        [parts.heading(parts.dimension_name(t, "dimension")), t("satisfaction.expected"), t("satisfaction.found"), t("satisfaction.gap"), t("trend.interval_column"), t("trend.n")],
        [
            [
                labels.get(axis, axis), t.number(found[names[0]][axis]["value"]), t.number(found[names[1]][axis]["value"]),
                t.signed(gaps[axis]["value"]) if axis in gaps else EMPTY,
                _range(t, gaps[axis]["low"], gaps[axis]["high"]) if axis in gaps else EMPTY,
                t.integer(found[names[1]][axis]["n"]),
            ]
            for axis in axes
        ],
        last_is_text=False,
    )  # fmt: skip
    values = [value for ring in rings for value in ring.values if value is not None]
    # The scale begins at a round number below the smallest value, and says so: differences of a few points would not be seen from 0.
    low = max(0.0, 10.0 * (min(values) // 10.0) - 10.0)
    period = t.period(span.start, span.end)
    notes = [
        t("satisfaction.radar_scale", low=t.integer(low)),
        t("part.other_days", period=period),
        parts.not_narrowed(t, unknown),
    ]
    return chart_panel(
        t,
        "radar",
        title,
        radar_figure([labels.get(axis, axis) for axis in axes], rings, low=low),
        label=t("part.chart_label", name=title, period=period),
        height=RADAR_HEIGHT,
        href=parts.definition_href(context, metrics[1]),
        below=[*(html.P(note, className="remark") for note in notes if note), as_table(t, table)],
        metric=metrics[1].name,
        data=pl.DataFrame(
            {
                "dimension": axes,
                "label": [labels.get(axis, axis) for axis in axes],
                "expectation": [found[names[0]][axis]["value"] for axis in axes],
                "perception": [found[names[1]][axis]["value"] for axis in axes],
                "gap": [gaps[axis]["value"] if axis in gaps else None for axis in axes],
                "n": [found[names[1]][axis]["n"] for axis in axes],
            }
        ),
        rows_href=parts.rows_href(context, metrics[1]),
    )


# Ways to measure


def methods(context: PageContext) -> list[Any]:
    """The ways to measure side by side, and how far they agree on the order of the provinces."""
    t = context.t
    rows = asked.method_agreement(context.snapshot)
    panels = [
        parts.split_panel(
            context,
            "satisfaction_by_method",
            "method",
            order="key",
            as_bars=True,
            span=_year(context),
            title=t("satisfaction.by_method"),
        )
    ]
    for year in sorted({row["year_begin"] for row in rows}, reverse=True)[:2]:
        panels.append(_agreement(context, [row for row in rows if row["year_begin"] == year]))
    if not rows:
        panels.append(
            parts.empty_panel(t, "agreement", t("satisfaction.agreement_of_none"), t("satisfaction.no_agreement"))
        )
    return [parts.panels(*panels)]


def _agreement(context: PageContext, rows: Sequence[Mapping[str, Any]]) -> html.Div:
    t = context.t
    words = Words(context.snapshot, t)
    year = str(rows[0]["year_begin"].year)
    units = sorted({row["org_unit_id"] for row in rows}, key=lambda unit: words("org_unit_id", unit))
    ways = sorted({row["method"] for row in rows})
    cell = {(row["org_unit_id"], row["method"]): row for row in rows}
    ranked = max((row["provinces"] or 0 for row in rows), default=0)

    def shade(unit: str, way: str) -> float | None:
        """The better the rank the darker; what is not ranked stays white."""
        row = cell.get((unit, way))
        return None if row is None or row["score_rank"] is None else ranked + 1 - row["score_rank"]

    def text(unit: str, way: str, joint: str = " ") -> str:
        row = cell.get((unit, way))
        if row is None:
            return EMPTY
        score, rank = t.number(row["score_100"]), row["score_rank"]
        if rank is None:
            return score
        return score + joint + t("satisfaction.rank", rank=t.number(rank, 0 if float(rank).is_integer() else 1))

    def hover(unit: str, way: str) -> str:
        row = cell.get((unit, way))
        head = f"<b>{words('org_unit_id', unit)}</b> · {words('method', way)}"
        if row is None:
            return f"{head}<br>{t('satisfaction.not_judged')}"
        return f"{head}<br>{t('trend.value')}: {text(unit, way)}<br>{t('satisfaction.judgements')}: {t.integer(row['judgements'])}"

    names = [words("method", way) for way in ways]
    labels = [words("org_unit_id", unit) for unit in units]
    texts = [[text(unit, way) for way in ways] for unit in units]
    first = rows[0]
    if first["concordance"] is not None:
        remark = t(
            "satisfaction.kendall", w=t.number(first["concordance"], 2), d=t.number(first["disagreement"], 2),
            methods=t.integer(first["methods"]), provinces=t.integer(first["provinces"]),
        )  # fmt: skip
    else:
        remark = t("satisfaction.no_kendall")
    title = t("satisfaction.agreement", year=year)
    return chart_panel(
        t,
        f"agreement-{year}",
        title,
        matrix_figure(labels, names, [[shade(unit, way) for way in ways] for unit in units], [[text(unit, way, "\n") for way in ways] for unit in units], [[hover(unit, way) for way in ways] for unit in units]),
        label=t("part.chart_label", name=title, period=year),
        height=matrix_height(len(units)),
        note=t("satisfaction.darker_better"),
        below=[
            *_remark(remark),
            as_table(
                t, plain_table([t("satisfaction.province"), *names], [[label, *line] for label, line in zip(labels, texts, strict=True)], last_is_text=False)
            ),
        ],
        data=pl.DataFrame(list(rows), infer_schema_length=None),
    )  # fmt: skip


# The index


def index_panels(context: PageContext) -> html.Div:
    """The index taken apart, its paths, and published indices beside it."""
    t = context.t
    found: list[Any] = []
    changes = asked.index_changes(context.snapshot)
    if changes:
        found += [_index_bridge(context, changes), _index_parts(context, changes)]
    else:
        found.append(parts.empty_panel(t, "index-change", t("satisfaction.index_change"), t("satisfaction.no_change")))
    figures = asked.index_figures(context.snapshot)
    for figure in ("path", "total_effect"):
        mine = [row for row in figures if row["figure"] == figure]
        if figure == "total_effect":
            mine = [row for row in mine if row["latent_variable"] == "satisfaction"]
        if mine:
            found.append(_paths(context, figure, mine, [row for row in figures if row["figure"] == "r_squared"]))
    rows = asked.published_indices(context.snapshot)
    if rows:
        found.append(_published(context, rows))
    return parts.panels(*found)


def _index_bridge(context: PageContext, changes: Sequence[Mapping[str, Any]]) -> html.Div:
    """From the satisfaction index of the wave before to that of the newest, by each wave's own weights."""
    t = context.t
    words = Words(context.snapshot, t)
    mine = [row for row in changes if row["latent_variable"] == "satisfaction" and row["weighting"] == "own"]
    mine = mine or [row for row in changes if row["latent_variable"] == "satisfaction"]
    title = t("satisfaction.index_change")
    if not mine:
        return parts.empty_panel(t, "index-change", title, t("satisfaction.no_change"))
    row = next((one for one in mine if one["mix_dimension"] == "product_line"), mine[0])
    steps = [
        Step(row["previous_period"], row["index_before"], is_total=True),
        *(Step(t(f"satisfaction.{name}"), row[f"{name}_effect"]) for name in ("level", "weight", "mix")),
        Step(row["period"], row["index_after"], is_total=True),
    ]
    table = plain_table(
        [t("satisfaction.mix_by"), t("satisfaction.level"), t("satisfaction.weight"), t("satisfaction.mix"), t("satisfaction.change")],
        [
            [words("mix_dimension", one["mix_dimension"]), t.signed(one["level_effect"], 2), t.signed(one["weight_effect"], 2), t.signed(one["mix_effect"], 2), t.signed(one["index_change"], 2)]
            for one in mine
        ],
        last_is_text=False,
    )  # fmt: skip
    remark = t(
        "satisfaction.change_interval",
        change=t.signed(row["index_change"]),
        interval=_range(t, row["index_change_low"], row["index_change_high"]),
        before=t.integer(row["respondents_before"]),
        after=t.integer(row["respondents_after"]),
        dimension=words("mix_dimension", row["mix_dimension"]),
    )
    return chart_panel(
        t,
        "index-change",
        title,
        bridge_figure(t, steps, "score"),
        label=t("part.chart_label", name=title, period=f"{row['previous_period']} – {row['period']}"),
        height=BRIDGE_HEIGHT,
        note=words("weighting", row["weighting"]),
        below=[*_remark(remark), *_whole(context), as_table(t, table)],
        data=pl.DataFrame(mine, infer_schema_length=None),
    )


def _index_parts(context: PageContext, changes: Sequence[Mapping[str, Any]]) -> html.Div:
    """The change of every part of the model with the weights that hold."""
    t = context.t
    words = Words(context.snapshot, t)
    mine = [row for row in changes if row["weighting"] == "frozen" and row["mix_dimension"] == "product_line"]
    title = t("satisfaction.parts_change")
    if not mine:
        return parts.empty_panel(t, "index-parts-change", title, t("satisfaction.no_change"))
    mine = sorted(
        mine, key=lambda row: LATENT.index(row["latent_variable"]) if row["latent_variable"] in LATENT else len(LATENT)
    )
    slices = [
        Slice(words("latent_variable", row["latent_variable"]), row["index_change"], row["index_change_low"], row["index_change_high"], None, None,
              row["respondents_after"], row["is_small_base"])
        for row in mine
    ]  # fmt: skip
    table = plain_table(
        [t("satisfaction.part"), mine[0]["previous_period"], mine[0]["period"], t("satisfaction.change"), t("trend.interval_column"), t("satisfaction.level"), t("satisfaction.mix")],
        [
            [
                words("latent_variable", row["latent_variable"]), t.number(row["index_before"]), t.number(row["index_after"]), t.signed(row["index_change"]),
                _range(t, row["index_change_low"], row["index_change_high"]), t.signed(row["level_effect"]), t.signed(row["mix_effect"]),
            ]
            for row in mine
        ],
        last_is_text=False,
    )  # fmt: skip
    return chart_panel(
        t,
        "index-parts-change",
        title,
        slices_figure(t, slices, "points", overall=0.0),
        label=t("part.chart_label", name=title, period=f"{mine[0]['previous_period']} – {mine[0]['period']}"),
        height=figure_height(len(slices)),
        note=words("weighting", "frozen"),
        below=[legend([("key key-whisker", t("trend.interval"))]), *_whole(context), as_table(t, table)],
        data=pl.DataFrame(mine, infer_schema_length=None),
    )


def _paths(
    context: PageContext, figure: str, rows: Sequence[Mapping[str, Any]], explained: Sequence[Mapping[str, Any]]
) -> html.Div:
    """Coefficients of the model with their intervals."""
    t = context.t
    words = Words(context.snapshot, t)

    def place(name: str) -> int:
        return LATENT.index(name) if name in LATENT else len(LATENT)

    rows = sorted(rows, key=lambda row: (place(row["antecedent"]), place(row["latent_variable"])))
    if figure == "total_effect":
        rows = sorted(rows, key=lambda row: -row["figure_value"])
    slices = [
        Slice(
            f"{words('latent_variable', row['antecedent'])} → {words('latent_variable', row['latent_variable'])}", row["figure_value"], row["low"], row["high"],
            None, None, row["respondents"],
        )
        for row in rows
    ]  # fmt: skip
    table = plain_table(
        [t("satisfaction.path"), t("satisfaction.coefficient"), t("trend.interval_column")],
        [[one.label, t.number(one.value, 2), _range(t, one.low, one.high, 2)] for one in slices],
        last_is_text=False,
    )
    title = t(f"satisfaction.{figure}s", period=rows[0]["period"])
    r_squared = t("part.and").join(
        f"{words('latent_variable', row['latent_variable'])} {t.percent(row['figure_value'], 0)}" for row in explained
    )
    notes = [t("satisfaction.path_note", n=t.integer(rows[0]["respondents"]))]
    if figure == "path" and r_squared:
        notes.append(t("satisfaction.r_squared", shares=r_squared))
    return chart_panel(
        t,
        figure.replace("_", "-"),
        title,
        slices_figure(t, slices, "score", overall=0.0),
        label=t("part.chart_label", name=title, period=rows[0]["period"]),
        height=figure_height(len(slices)),
        below=[
            legend([("key key-whisker", t("trend.interval"))]),
            *(html.P(note, className="remark") for note in notes),
            as_table(t, table),
        ],
        data=pl.DataFrame(list(rows), infer_schema_length=None),
    )


def _published(context: PageContext, rows: Sequence[Mapping[str, Any]]) -> html.Div:
    """The own index beside published ones of each product; a figure printed short of digits is drawn between its bounds."""
    t = context.t
    words = Words(context.snapshot, t)
    slices, cells = [], []
    for product in sorted({row["product_line"] for row in rows}):
        mine = [row for row in rows if row["product_line"] == product]
        first, name = mine[0], words("product_line", product)
        own = t("satisfaction.own_of", product=name)
        slices.append(
            Slice(own, first["own_index"], first["own_low"], first["own_high"], None, None, first["own_respondents"], first["is_small_base"], is_marked=True)
        )  # fmt: skip
        for row in mine:
            low, high = row["lower_bound"], row["upper_bound"]
            value = row["published_value"]
            if value is None and low is not None and high is not None:
                value = (low + high) / 2
            is_range = low is not None and high is not None and low < high
            slices.append(
                Slice(
                    t("part.pair", name=name, value=f"{row['entity']} {row['published_period']}"),
                    value,
                    low if is_range else None,
                    high if is_range else None,
                    None,
                    None,
                    None,
                )
            )
            printed = t.number(row["published_value"]) if row["published_value"] is not None else EMPTY
            if is_range:
                printed = f"{_range(t, low, high)}{' · ' + row['value_note'] if row['value_note'] else ''}"
            shown = f"{format_value(t, row['own_index'], 'score')} ({_range(t, row['own_low'], row['own_high'])})"
            if row["is_small_base"]:
                shown += f" · {t('kpi.small_base')}"
            cells.append(
                [
                    name,
                    shown,
                    f"{row['entity']} · {row['published_period']}",
                    printed,
                    words("standing", row["standing"] or "undecided"),
                ]
            )
    title = t("satisfaction.comparison")
    table = plain_table(
        [parts.heading(t("dimension.product_line")), t("satisfaction.own", period=rows[0]["period"]), t("satisfaction.published"), t("trend.value"), t("satisfaction.standing")],
        cells,
    )  # fmt: skip
    years = max((row["years_apart"] or 0 for row in rows), default=0)
    return chart_panel(
        t,
        "published",
        title,
        slices_figure(t, slices, "score"),
        label=t("part.chart_label", name=title, period=rows[0]["period"]),
        height=figure_height(len(slices)),
        note=t("satisfaction.own", period=rows[0]["period"]),
        below=[
            legend(
                [
                    ("key key-whisker", t("satisfaction.bounds_key")),
                    *([("key key-grey", t("trend.small_base"))] if any(one.is_small for one in slices) else []),
                ]
            ),
            *(_remark(t("satisfaction.years_apart", years=t.integer(years))) if years else []),
            *_whole(context),
            as_table(t, table),
        ],
        data=pl.DataFrame(list(rows), infer_schema_length=None),
    )
