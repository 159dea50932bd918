"""Causes and improvement, in four tabs: what hurts and why, one cause, new causes and the classifier, what was done and what it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from dash import dcc, html

from dashboards.components import states
from dashboards.components.chart import as_table, chart_panel, legend, plain_table
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import page_head, section
from dashboards.components.tabs import tabs
from dashboards.components.values import format_value
from dashboards.data import causes, queries
from dashboards.data.metrics import MetricValue
from dashboards.figures.pareto import pareto_figure, pareto_rows
from dashboards.figures.slices import Slice, figure_height, slices_figure
from dashboards.i18n import EMPTY, Translator
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext

PATH = "/causes"
MOST_CAUSES = 12
MOST_CASES = 200
PHASES = ("plan", "do", "check", "act", "cancelled")


def render(context: PageContext) -> html.Div:
    """The page with the tab that the address asks for."""
    t = context.t
    head = page_head(t("page.causes.title"), t("page.causes.lead"), *parts.period_details(context))
    if not causes.has_causes(context.snapshot):
        return html.Div([head, html.Div(states.empty(t, t("causes.none")), className="panel")])
    asked = context.view.of_page("tab")
    current = asked if asked in TABS else next(iter(TABS))
    entries = [(key, t(f"causes.tab_{key}"), _link(context, tab=key)) for key in TABS]
    return html.Div([head, tabs(t("page.causes.name"), entries, current), *TABS[current](context)])


def _link(context: PageContext, **own: str) -> str:
    """Address of this page with the view's filters and what is chosen on it."""
    kept = {name: context.view.of_page(name) for name in ("tab", "metric", "by", "cause")}
    return context.link(PATH, **{**kept, **own})


def _chosen(context: PageContext, name: str, allowed: Sequence[str]) -> str:
    asked = context.view.of_page(name)
    return asked if asked in allowed else allowed[0]


def _choices(context: PageContext, name: str, label: str, named: Sequence[tuple[str, str]], current: str) -> html.Nav:
    return tabs(label, [(key, words, _link(context, **{name: key})) for key, words in named], current)


# What hurts


def _costs(context: PageContext) -> list[Any]:
    t = context.t
    metrics = queries.known_metrics(context.snapshot, causes.COSTS)
    names = [metric.name for metric in metrics]
    chosen = _chosen(context, "metric", names)
    by = _chosen(context, "by", ("root_cause", "cause_group", *causes.DIMENSIONS))
    choices = _choices(
        context,
        "metric",
        t("causes.cost"),
        [(metric.name, t(f"causes.by_{metric.name}")) for metric in metrics],
        chosen,
    )
    dimensions = _choices(
        context, "by", t("causes.dimension"), [(name, parts.heading(parts.dimension_name(t, name))) for name in ("root_cause", "cause_group", *causes.DIMENSIONS)], by,
    )  # fmt: skip
    return [
        section("headline", t("kpi.section"), parts.cards(context, (*causes.RATES, "cause_fee_lost"))),
        section(
            "pareto",
            t("causes.pareto"),
            choices,
            dimensions,
            parts.panels(_pareto(context, chosen, by), *parts.trend_panels(context, [chosen])),
            lead=t("causes.pareto_lead"),
        ),
        section("tree", t("causes.tree"), _tree(context), lead=t("causes.tree_lead")),
        section(
            "rates",
            t("causes.rates"),
            parts.panels(
                *(parts.split_panel(context, name, "root_cause") for name in ("cause_dissatisfaction_rate", "cause_repeat_rate", "cause_churn_rate")),
                parts.split_panel(context, "cause_handling_cost_per_case", "owner"),
            ),
            lead=t("causes.rates_lead"),
        ),
    ]  # fmt: skip


def _pareto(context: PageContext, name: str, by: str) -> html.Div:
    t = context.t
    (metric,) = queries.known_metrics(context.snapshot, [name])
    filters, unknown = metric.narrowed(context.filters(context.span))
    found = queries.metric_slices(context.snapshot, name, [by], filters)
    frame = found.filter(pl.col("value") > 0)
    title = t("part.by", name=t(f"causes.by_{name}"), dimension=parts.dimension_name(t, by))
    if not frame.height:
        return parts.empty_panel(t, "pareto-chart", title, t("kpi.no_contacts"))
    labels = queries.value_labels(context.snapshot, by, t.language)
    counts = [(parts.value_name(t, labels, value), count) for value, count in frame.select(by, "value").iter_rows()]
    rows = pareto_rows(counts, MOST_CAUSES, t("complaints.rest"))
    table = plain_table(
        [parts.heading(parts.dimension_name(t, by)), t(f"causes.by_{name}"), t("pareto.share"), t("pareto.reached")],
        [[row.label, format_value(t, row.count, metric.unit), t.percent(row.share), t.percent(row.reached)] for row in rows],
        last_is_text=False,
    )  # fmt: skip
    remarks = [one for one in (parts.not_narrowed(t, unknown), parts.left_out(context, found)) if one]
    return chart_panel(
        t,
        "pareto-chart",
        title,
        pareto_figure(t, rows, t(f"causes.by_{name}")),
        label=t("part.chart_label", name=title, period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(rows)) + 26,
        href=parts.definition_href(context, metric),
        below=[*(html.P(one, className="remark") for one in remarks), as_table(t, table)],
        metric=name,
    )


def _tree(context: PageContext) -> html.Div:
    """The tree with every cost beside every cause; a group is the sum of what is below it. A name leads to the profile."""
    t = context.t
    metrics = queries.known_metrics(context.snapshot, causes.COSTS)
    filters, _ = metrics[0].narrowed(context.filters(context.span))
    tree = causes.cause_tree(context.snapshot)
    values: dict[str, dict[str, float | None]] = {}
    for metric in metrics:
        frame = queries.metric_slices(context.snapshot, metric.name, ["root_cause"], filters)
        values[metric.name] = dict(frame.select("root_cause", "value").iter_rows())
    if not any(values.values()):
        return html.Div(states.empty(t, t("kpi.no_contacts")), className="panel")
    lines = [(cause.code, cause.name(t.language), cause.depth, causes.subtree(tree, cause.code)) for cause in tree]
    labels = queries.value_labels(context.snapshot, "root_cause", t.language)
    known = {cause.code for cause in tree}
    for code in sorted({code for found in values.values() for code in found} - known):
        lines.append((code, parts.value_name(t, labels, code), 0, (code,)))
    body = []
    for code, name, depth, codes in lines:
        sums = {
            metric.name: _total([values[metric.name][one] for one in codes if one in values[metric.name]], context)
            for metric in metrics
        }
        if sums["cause_cases"] == 0 and depth:
            continue
        link = dcc.Link(name, href=_link(context, tab="cause", cause=code), className="quiet-link")
        body.append(
            html.Tr(
                [html.Th(link, scope="row", style={"paddingLeft": f"{8 + 18 * depth}px", "fontWeight": 400 if depth > 1 else 600})]
                + [html.Td(format_value(t, sums[metric.name], metric.unit)) for metric in metrics]
            )
        )  # fmt: skip
    head = html.Tr(
        [
            html.Th(text, scope="col")
            for text in (t("causes.cause"), *(t(f"causes.by_{metric.name}") for metric in metrics))
        ]
    )
    table = html.Table([html.Thead(head), html.Tbody(body)], className="plain-table plain-table-numbers")
    return html.Div(html.Div(table, className="table-scroll table-whole", tabIndex=0), className="panel")


def _total(values: Sequence[float | None], context: PageContext) -> float | None:
    """The sum of what is known, 0 where there is nothing at all. To a reader with rights of their own a missing value is one that is not told, and so is any sum with it."""
    known = [value for value in values if value is not None]
    if (values and not known) or (context.snapshot.viewer.is_limited and len(known) < len(values)):
        return None
    return sum(known)


# One cause


def _cause(context: PageContext) -> list[Any]:
    t = context.t
    tree = causes.cause_tree(context.snapshot)
    known = [cause.code for cause in tree] + [causes.UNKNOWN]
    code = context.view.of_page("cause")
    if code not in known:
        code = _most_frequent(context) or known[0]
    filters = context.filters(context.span)
    codes = causes.subtree(tree, code)
    line = next((cause for cause in tree if cause.code == code), None)
    labels = queries.value_labels(context.snapshot, "root_cause", t.language)
    name = line.name(t.language) if line else parts.value_name(t, labels, code)
    by = _chosen(context, "by", causes.DIMENSIONS[:-1])
    choices = _choices(
        context, "by", t("causes.dimension"), [(one, parts.heading(parts.dimension_name(t, one))) for one in causes.DIMENSIONS[:-1]], by,
    )  # fmt: skip
    picked = _choices(
        context,
        "cause",
        t("causes.cause"),
        [(one, labels.get(one, one)) for one in known if one == code or len(causes.subtree(tree, one)) == 1],
        code,
    )
    return [
        section("who", name, picked, _facts(context, line, codes, filters), lead=line.example(t.language) if line else None),
        section(
            "where",
            t("causes.where"),
            choices,
            parts.panels(_ratios(context, codes, by, name), _course(context, codes, name)),
            lead=t("causes.where_lead", base=t.integer(causes.MINIMUM_BASE)),
        ),
        section("words", t("causes.words"), _words(context, codes), lead=t("causes.words_lead")),
        section("cases", t("causes.cases"), _cases(context, codes), lead=t("causes.cases_lead", most=t.integer(MOST_CASES))),
    ]  # fmt: skip


def _most_frequent(context: PageContext) -> str | None:
    frame = queries.metric_slices(context.snapshot, "cause_cases", ["root_cause"], context.filters(context.span))
    rows = [row for row in frame.to_dicts() if row["root_cause"] != causes.UNKNOWN and row["value"]]
    return min(rows, key=lambda row: (-row["value"], row["root_cause"]))["root_cause"] if rows else None


def _facts(context: PageContext, line: causes.Cause | None, codes: Sequence[str], filters: Any) -> html.Div:
    t = context.t
    own, every = (
        causes.cause_costs(context.snapshot, codes, filters),
        causes.cause_costs(context.snapshot, None, filters),
    )
    rows = []
    for metric in queries.known_metrics(context.snapshot, (*causes.COSTS, *causes.RATES)):
        mine, all_of = own[metric.name], every[metric.name]
        share = (
            mine.value / all_of.value if metric.type == "count" and mine.value is not None and all_of.value else None
        )
        rows.append(
            [metric.label(t), format_value(t, mine.value, metric.unit), _interval(t, mine, metric.unit), EMPTY if share is None else t.percent(share),
             format_value(t, all_of.value, metric.unit), EMPTY if metric.type == "count" else t.integer(mine.n)]
        )  # fmt: skip
    table = plain_table(
        [t("causes.measure"), t("causes.this"), t("trend.interval_column"), t("causes.share"), t("causes.all"), t("trend.n")], rows, last_is_text=False
    )  # fmt: skip
    owners = queries.value_labels(context.snapshot, "owner", t.language)
    types = queries.value_labels(context.snapshot, "cause_type", t.language)
    said = []
    if line is not None:
        said.append(t("causes.owner", owner=owners.get(line.owner, line.owner)))
        if line.cause_type:
            said.append(t("causes.type", type=types.get(line.cause_type, line.cause_type)))
        if line.resolution_codes:
            said.append(t("causes.codes", codes=line.resolution_codes.replace(";", ", ")))
    return html.Div(
        [html.P(" · ".join(said), className="remark"), html.Div(table, className="table-scroll", tabIndex=0)], className="panel"
    )  # fmt: skip


def _interval(t: Translator, value: MetricValue, unit: str | None) -> str:
    if value.low is None or value.high is None:
        return EMPTY
    return t("kpi.interval", low=format_value(t, value.low, unit), high=format_value(t, value.high, unit))


def _ratios(context: PageContext, codes: Sequence[str], by: str, name: str) -> html.Div:
    t = context.t
    found = causes.over_representation(context.snapshot, codes, by, context.filters(context.span))
    title = t("causes.ratio", dimension=parts.dimension_name(t, by))
    labels = queries.value_labels(context.snapshot, by, t.language)
    shown = [one for one in found if one.ratio is not None][: parts.MOST_SLICES]
    if not shown:
        return parts.empty_panel(t, "ratios", title, t("causes.too_few", base=t.integer(causes.MINIMUM_BASE)))
    slices = [
        Slice(parts.value_name(t, labels, one.value), one.ratio, one.low, one.high, one.hits, one.n, one.n)
        for one in shown
    ]
    table = plain_table(
        [parts.heading(parts.dimension_name(t, by)), t("causes.times"), t("trend.interval_column"), t("causes.of_it"), t("causes.elsewhere"), t("causes.stands_out")],
        [
            [
                parts.value_name(t, labels, one.value),
                EMPTY if one.ratio is None else t.number(one.ratio, 2),
                EMPTY if one.low is None or one.high is None else t("kpi.interval", low=t.number(one.low, 2), high=t.number(one.high, 2)),
                f"{t.integer(one.hits)} / {t.integer(one.n)}",
                f"{t.integer(one.other_hits)} / {t.integer(one.other_n)}",
                t("causes.yes") if one.stands_out else EMPTY,
            ]
            for one in found
        ],
        last_is_text=False,
    )  # fmt: skip
    out = [parts.value_name(t, labels, one.value) for one in found if one.stands_out]
    remark = t("causes.out", names=t("part.and").join(out)) if out else t("causes.none_out")
    return chart_panel(
        t,
        "ratios",
        title,
        slices_figure(t, slices, "number", overall=1.0, as_bars=False),
        label=t("part.chart_label", name=f"{name}: {title}", period=t.period(context.span.start, context.span.end)),
        height=figure_height(len(slices)),
        below=[legend([("key key-whisker", t("trend.interval"))]), html.P(remark, className="remark"), as_table(t, table)],
    )  # fmt: skip


def _course(context: PageContext, codes: Sequence[str], name: str) -> html.Div:
    t = context.t
    (metric,) = queries.known_metrics(context.snapshot, ["cause_cases"])
    span = parts.course_span(metric, context.span)
    frame = queries.metric_slices(
        context.snapshot, metric.name, [], causes.narrowed_to(context.filters(span), codes), "month"
    )
    rows = frame.sort("metric_time").to_dicts()
    if not rows:
        return parts.empty_panel(t, "course", t("causes.course"), t("kpi.no_contacts"))
    slices = [Slice(t.grain_label(row["metric_time"], "month"), row["value"]) for row in rows]
    table = plain_table(
        [t("trend.period_column"), metric.label(t)], [[one.label, t.integer(one.value or 0)] for one in slices], last_is_text=False
    )  # fmt: skip
    return chart_panel(
        t,
        "course",
        t("causes.course"),
        slices_figure(t, slices, "count", as_bars=True),
        label=t("part.chart_label", name=f"{name}: {metric.label(t)}", period=t.period(span.start, span.end)),
        height=figure_height(len(slices)),
        below=[html.P(t("causes.course_remark"), className="remark"), as_table(t, table)],
    )


def _words(context: PageContext, codes: Sequence[str]) -> html.Div:
    t = context.t
    rows = causes.cause_words(context.snapshot, codes)
    if not rows:
        return html.Div(states.empty(t, t("causes.no_words")), className="panel")
    languages = queries.value_labels(context.snapshot, "text_language", t.language)
    lines = []
    for language in sorted({row["text_language"] for row in rows}):
        words = [f"{row['word']} ({t.integer(row['cases'])})" for row in rows if row["text_language"] == language]
        lines.append(html.P([t("part.pair", name=languages.get(language, language), value=" · ".join(words))]))
    return html.Div(lines, className="panel")


def _cases(context: PageContext, codes: Sequence[str]) -> html.Div:
    t = context.t
    rows = causes.cause_cases(context.snapshot, codes, context.filters(context.span), MOST_CASES)
    if not rows:
        return html.Div(states.empty(t, t("kpi.no_contacts")), className="panel")
    words = {
        name: queries.value_labels(context.snapshot, name, t.language)
        for name in ("root_cause", "symptom", "org_unit_id", "product_line", "channel", "customer_tier", "cause_basis")
    }
    shown = [
        {name: words[name].get(value, value) if name in words else value for name, value in row.items()}
        | {
            "opened_on": row["opened_on"].isoformat(),
            "handling_cost": float(row["handling_cost"]),
            "is_dissatisfied": t("causes.yes") if row["is_dissatisfied"] else "",
            "is_churned": t("causes.yes") if row["is_churned"] else "",
            "fee_at_risk": None if row["fee_at_risk"] is None else float(row["fee_at_risk"]),
        }
        for row in rows
    ]
    numbers = ("repeat_contacts", "handling_cost", "fee_at_risk")
    columns = [
        Column(name, t(f"causes.column.{name}"), "number" if name in numbers else "text", width=200 if name == "complaint_id" else None) for name in causes.CASE_COLUMNS
    ]  # fmt: skip
    return data_grid(t, "cause-cases", columns, shown, label=t("causes.cases"), height_rows=8)


# New causes and the classifier


def _found(context: PageContext) -> list[Any]:
    t = context.t
    return [
        section("candidates", t("causes.candidates"), _candidates(context), lead=t("causes.candidates_lead")),
        section("quality", t("causes.quality"), *_quality(context), lead=t("causes.quality_lead")),
    ]


def _candidates(context: PageContext) -> html.Div:
    t = context.t
    rows = causes.cause_candidates(context.snapshot)
    if not rows:
        return html.Div(states.empty(t, t("causes.no_candidates")), className="panel")
    symptoms = queries.value_labels(context.snapshot, "symptom", t.language)
    table = plain_table(
        [t("causes.number"), t("causes.named_by"), t("dimension.symptom"), t("causes.by_cause_cases"), t("causes.last_28"), t("causes.before_28"), t("causes.first"), t("causes.last"), t("causes.examples")],
        [
            [
                str(row["candidate"]),
                " · ".join(filter(None, [row["words_zh"], row["words_en"]] if t.language == "zh" else [row["words_en"], row["words_zh"]])),
                parts.value_name(t, symptoms, row["symptom"]),
                t.integer(row["cases"]),
                t.integer(row["cases_28d"]),
                t.integer(row["cases_before_28d"]),
                t.date(row["first_opened_on"]),
                t.date(row["last_opened_on"]),
                " ".join((row["example_complaint_ids"] or "").split(" ")[:2]),
            ]
            for row in rows
        ],
    )  # fmt: skip
    return html.Div(html.Div(table, className="table-scroll", tabIndex=0), className="panel")


def _quality(context: PageContext) -> list[Any]:
    t = context.t
    rows = causes.model_quality(context.snapshot)
    if not rows:
        return [html.Div(states.empty(t, t("causes.no_quality")), className="panel")]
    languages = queries.value_labels(context.snapshot, "text_language", t.language)
    labels = queries.value_labels(context.snapshot, "root_cause", t.language)
    found = []
    for language in dict.fromkeys(row["text_language"] for row in rows):
        lines = [row for row in rows if row["text_language"] == language]
        first = lines[0]
        table = plain_table(
            [t("causes.cause"), t("causes.by_cause_cases"), t("causes.answered"), t("causes.precision"), t("causes.recall"), "F1"],
            [
                [
                    parts.value_name(t, labels, row["root_cause"]),
                    t.integer(row["cases"]),
                    t.integer(row["answered"]),
                    EMPTY if row["precision_share"] is None else t.percent(row["precision_share"]),
                    EMPTY if row["recall_share"] is None else t.percent(row["recall_share"]),
                    EMPTY if row["f1"] is None else t.number(row["f1"], 3),
                ]
                for row in lines
            ],
            last_is_text=False,
        )  # fmt: skip
        name = t("causes.all_languages") if language == "all" else languages.get(language, language)
        found.append(
            html.Div(
                [
                    html.H3(t("causes.macro_f1", language=name, f1=t.number(first["macro_f1"], 3)), id=f"quality-{language}"),
                    html.P(t("causes.tested", period=t.period(first["tested_from"], first["tested_to"]), n=t.integer(sum(row["cases"] for row in lines))), className="remark"),
                    html.Div(table, className="table-scroll", tabIndex=0),
                ],
                className="panel",
            )
        )  # fmt: skip
    return [parts.panels(*found)]


# What was done


def _improvement(context: PageContext) -> list[Any]:
    t = context.t
    actions = causes.improvement_actions(context.snapshot)
    if not actions:
        return [html.Div(states.empty(t, t("causes.no_actions")), className="panel")]
    return [
        section("board", t("causes.board"), _board(context, actions), lead=t("causes.board_lead")),
        section("effects", t("causes.effects"), _effects(context, actions), lead=t("causes.effects_lead")),
    ]


def _board(context: PageContext, actions: Sequence[dict[str, Any]]) -> html.Div:
    t = context.t
    phases = queries.value_labels(context.snapshot, "phase", t.language)
    verdicts = queries.value_labels(context.snapshot, "verdict", t.language)
    labels = queries.value_labels(context.snapshot, "root_cause", t.language)
    units = queries.value_labels(context.snapshot, "org_unit_id", t.language)
    lanes = []
    for phase in PHASES:
        own = [action for action in actions if action["phase"] == phase]
        if not own and phase == "cancelled":
            continue
        cards: list[Any] = []
        for action in own:
            effect = verdicts.get(action["verdict"], action["verdict"])
            if action["rate_ratio"] is not None:
                ratio = f"{t.number(action['rate_ratio'], 2)} ({t.number(action['ratio_low'], 2)} – {t.number(action['ratio_high'], 2)})"
                effect = t("part.pair", name=effect, value=ratio)
            lines = [
                html.P([html.B(action["problem"]), html.Br(), action["plan"]]),
                html.P(
                    " · ".join(
                        filter(None, [action["improvement_action_id"], labels.get(action["root_cause"], action["root_cause"]), units.get(action["org_unit_id"], action["org_unit_id"])])
                    ),
                    className="remark",
                ),
                html.P(effect, className="remark"),
            ]  # fmt: skip
            if action["open_complaints"]:
                lines.append(html.P(t("causes.left_over", n=t.integer(action["open_complaints"])), className="remark"))
            cards.append(html.Div(lines, className="lane-card"))
        lanes.append(
            html.Div(
                [html.H3(f"{phases.get(phase, phase)} ({t.integer(len(own))})", id=f"lane-{phase}"), *(cards or [html.P(t("causes.nothing_here"), className="remark")])],
                className="panel",
            )
        )  # fmt: skip
    return html.Div(lanes, className="charts")


def _effects(context: PageContext, actions: Sequence[dict[str, Any]]) -> html.Div:
    t = context.t
    problems = {action["improvement_action_id"]: action["problem"] for action in actions}
    methods = queries.value_labels(context.snapshot, "effect_method", t.language)
    verdicts = queries.value_labels(context.snapshot, "verdict", t.language)
    rows = causes.improvement_effects(context.snapshot)
    if not rows:
        return html.Div(states.empty(t, t("causes.no_effects")), className="panel")
    found = []
    for method in sorted({row["method"] for row in rows}):
        own = [row for row in rows if row["method"] == method]
        slices = [
            Slice(
                problems.get(row["improvement_action_id"], row["improvement_action_id"]),
                row["rate_ratio"],
                row["ratio_low"],
                row["ratio_high"],
            )
            for row in own
        ]
        table = plain_table(
            [t("causes.action"), t("causes.rate_ratio"), t("trend.interval_column"), t("causes.detectable"), t("causes.verdict")],
            [
                [
                    f"{row['improvement_action_id']} {problems.get(row['improvement_action_id'], '')}",
                    t.number(row["rate_ratio"], 2),
                    EMPTY if row["ratio_low"] is None else t("kpi.interval", low=t.number(row["ratio_low"], 2), high=t.number(row["ratio_high"], 2)),
                    EMPTY if row["detectable_ratio"] is None else t.number(row["detectable_ratio"], 2),
                    parts.value_name(t, verdicts, row["verdict"]),
                ]
                for row in own
            ],
        )  # fmt: skip
        title = methods.get(method, method.replace("_", " "))
        found.append(
            chart_panel(
                t,
                f"effects-{method}".replace("_", "-"),
                title,
                slices_figure(t, slices, "number", overall=1.0, as_bars=False),
                label=title,
                height=figure_height(len(slices)),
                below=[legend([("key key-whisker", t("trend.interval"))]), as_table(t, table)],
            )
        )
    return parts.panels(*found)


TABS = {"costs": _costs, "cause": _cause, "found": _found, "improvement": _improvement}
PAGE = Page(key="causes", path=PATH, render=render)
