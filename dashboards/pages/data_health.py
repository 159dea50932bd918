"""The scheduler's page, in five tabs: snapshot and sources, quarantine, files, tests and runs, what is known of each metric's base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dash
from dash import Input, Output, State, html
from dash.exceptions import PreventUpdate

from dashboards.components import states
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import facts, section
from dashboards.data import health, queries
from dashboards.data.queries import Rows
from dashboards.data.snapshot import NoSnapshot, SnapshotStore
from dashboards.i18n import EMPTY, Translator, translator
from dashboards.pages import parts
from dashboards.pages.base import Page, PageContext
from dashboards.state import View

REASONS = "quarantine-reasons"
SAMPLES = "quarantine-samples"
SAMPLE_ROWS = 50
FILE_ROWS = 500
MUCH_UNKNOWN = 0.05
"""Share of a base of which a dimension is unknown from which on it is marked."""
_BAD = {
    "cell-bad": "params.data.tone == 'bad'",
    "cell-warn": "params.data.tone == 'warn'",
    "cell-good": "params.data.tone == 'good'",
}


PATH = "/data-health"
FLAG_ROWS = 200


def render(context: PageContext) -> html.Div:
    """The page with the tab that the address asks for."""
    return parts.tabbed_page(context, "data_health", PATH, TABS, words="health")


def _sources(context: PageContext) -> list[Any]:
    t, snapshot = context.t, context.snapshot
    return [
        section("snapshot", t("health.facts"), html.Div(_facts(context), className="panel")),
        section(
            "freshness",
            t("health.freshness"),
            _freshness(t, queries.freshness(snapshot)),
            lead=t("health.freshness_lead"),
        ),
        section("accounting", t("health.accounting"), *_accounting(context), lead=t("health.accounting_lead")),
        section("flags", t("health.flags"), _flags(context), lead=t("health.flags_lead")),
    ]


def _held_back(context: PageContext) -> list[Any]:
    t = context.t
    return [section("quarantine", t("health.quarantine"), *_quarantine(context), lead=t("health.quarantine_lead"))]


def _files(context: PageContext) -> list[Any]:
    t, snapshot = context.t, context.snapshot
    return [
        section("seen", t("health.seen"), *_seen(context), lead=t("health.seen_lead")),
        section(
            "loads",
            t("health.loads"),
            _loads(t, queries.loaded_files(snapshot, limit=FILE_ROWS)),
            lead=t("health.loads_lead"),
        ),
    ]


def _build(context: PageContext) -> list[Any]:
    t, snapshot = context.t, context.snapshot
    return [
        section("tests", t("health.tests"), *_tests(t, queries.test_results(snapshot))),
        section("runs", t("health.runs"), _runs(t, queries.runs(snapshot))),
    ]


def _bases(context: PageContext) -> list[Any]:
    t = context.t
    rows = health.unknown_shares(context.snapshot)
    if not rows:
        return [
            section(
                "coverage",
                t("health.coverage"),
                states.empty(t, t("health.no_coverage")),
                lead=t("health.coverage_lead"),
            )
        ]
    labels = {metric.name: metric.label(t) for metric in queries.all_metrics(context.snapshot)}
    shown = [
        {
            "metric": labels.get(row["metric"], row["metric"]),
            "dimension": t(f"health.by_{row['dimension']}") if t.has(f"health.by_{row['dimension']}") else parts.heading(parts.dimension_name(t, row["dimension"])),
            "unknown": 100 * (row["unknown_share"] or 0.0),
            "known_values": row["known_values"],
            "base": row["base"],
            "first": t.date(row["first_day"]) if row["first_day"] else EMPTY,
            "last": t.date(row["last_day"]) if row["last_day"] else EMPTY,
            "tone": "warn" if (row["unknown_share"] or 0.0) > MUCH_UNKNOWN else "good",
        }
        for row in rows
    ]  # fmt: skip
    columns = [
        Column("metric", t("column.metric"), "long", width=240),
        Column("dimension", t("health.dimension"), width=140),
        Column("unknown", t("health.unknown_share"), "number", width=140, class_rules=_BAD),
        Column("known_values", t("health.known_values"), "number", width=130),
        Column("base", t("health.base"), "number", width=120),
        Column("first", t("health.first_day"), width=140),
        Column("last", t("health.last_day"), width=140),
    ]
    return [
        section(
            "coverage",
            t("health.coverage"),
            data_grid(t, "grid-coverage", columns, shown, label=t("health.coverage"), height_rows=16),
            lead=t("health.coverage_lead"),
        )
    ]


def _flags(context: PageContext) -> Any:
    """Rows that are used although something about them is doubtful."""
    t = context.t
    rows = health.row_flags(context.snapshot)
    if not rows:
        return states.empty(t, t("health.no_flags"))
    labels = queries.reason_labels(context.snapshot, t.language)
    shown = [
        {
            "source": row["source"],
            "feed": row["feed"],
            "flag": reason_words(row["flag"], labels),
            "rows": row["row_count"],
        }
        for row in rows[:FLAG_ROWS]
    ]
    columns = [
        Column("source", t("column.source"), width=110),
        Column("feed", t("column.feed"), width=170),
        Column("flag", t("health.flag"), "long", width=300),
        Column("rows", t("column.rows"), "number", width=110),
    ]
    return data_grid(t, "grid-flags", columns, shown, label=t("health.flags"), height_rows=8)


def _seen(context: PageContext) -> list[Any]:
    """Whether every record of every loaded file was seen by some feed."""
    t = context.t
    facts_of = health.file_coverage(context.snapshot)
    if facts_of is None:
        return [states.empty(t, t("state.empty.no_rows"))]
    numbers = {name: t.integer(facts_of[name]) for name in ("files", "records", "reference")}
    if facts_of["missed"]:
        verdict = _verdict(False, t("health.seen_not", missed=t.integer(facts_of["missed"]), **numbers))
    else:
        verdict = _verdict(True, t("health.seen_all", **numbers))
    rows = facts_of["rows"]
    if not rows:
        return [verdict]
    columns = [
        Column("source", t("column.source"), width=110),
        Column("table", t("column.table"), width=200),
        Column("loaded", t("health.records_loaded"), "number", width=150),
        Column("seen", t("health.records_seen"), "number", width=150),
    ]
    shown = [
        {"source": row["source"], "table": row["table_name"], "loaded": row["records_loaded"], "seen": row["records_seen"]}
        for row in rows
    ]  # fmt: skip
    return [verdict, data_grid(t, "grid-seen", columns, shown, label=t("health.seen"), height_rows=6)]


def _facts(context: PageContext) -> Any:
    t = context.t
    known = queries.snapshot_facts(context.snapshot)
    return facts(
        [
            (t("health.version"), known.version),
            (t("health.built_at"), t.moment(known.built_at)),
            (t("health.data_until"), t.date(known.data_until)),
            (t("health.run_id"), known.run_id or EMPTY),
            (t("health.program"), known.program_version or EMPTY),
            (t("health.definitions"), (known.definitions or EMPTY)[:12]),
        ]
    )


def _freshness(t: Translator, rows: Rows) -> Any:
    if not rows:
        return states.empty(t, t("state.empty.no_rows"))
    shown = [
        {
            "source": t.label(row["label_en"], row["label_zh"], row["source"]),
            "last_load": t.moment(row["last_loaded_at"]) if row["last_loaded_at"] else t("health.never"),
            "expected": t.duration(row["expected_every_seconds"]),
            "freshness": t("health.stale") if row["is_stale"] else t("health.fresh"),
            "tone": "bad" if row["is_stale"] else "good",
        }
        for row in rows
    ]
    columns = [
        Column("source", t("column.source"), pinned=False),
        Column("freshness", t("column.freshness"), class_rules=_BAD),
        Column("last_load", t("column.last_load"), width=180),
        Column("expected", t("column.expected")),
    ]
    return data_grid(t, "grid-freshness", columns, shown, label=t("health.freshness"))


def _accounting(context: PageContext) -> list[Any]:
    t = context.t
    rows = queries.accounting(context.snapshot)
    if not rows:
        return [states.empty(t, t("state.empty.no_rows"))]
    wrong = sum(not row["is_balanced"] for row in rows)
    total = {name: sum(row[name] for row in rows) for name in ("received", "used", "superseded", "quarantined")}
    if wrong:
        verdict = _verdict(False, t("health.balanced_not", count=t.integer(wrong)))
    else:
        verdict = _verdict(True, t("health.balanced_all", **{name: t.integer(count) for name, count in total.items()}))
    shown = [
        {
            **{name: row[name] for name in ("source", "received", "used", "superseded", "quarantined")},
            "feed": row["feed"],
            "share": t.percent(row["quarantined"] / row["received"], 2) if row["received"] else EMPTY,
            "balanced": "✓" if row["is_balanced"] else f"✗ {t('health.no')}",
            "tone": "good" if row["is_balanced"] else "bad",
        }
        for row in rows
    ]
    columns = [
        Column("source", t("column.source"), width=100),
        Column("feed", t("column.feed"), width=150),
        Column("received", t("column.received"), "number"),
        Column("used", t("column.used"), "number"),
        Column("superseded", t("column.superseded"), "number"),
        Column("quarantined", t("column.quarantined"), "number"),
        Column("share", t("column.share"), width=110, has_filter=False),
        Column("balanced", t("column.balanced"), class_rules=_BAD, width=90, has_filter=False),
    ]
    return [verdict, data_grid(t, "grid-accounting", columns, shown, label=t("health.accounting"), height_rows=12)]


def _quarantine(context: PageContext) -> list[Any]:
    t = context.t
    rows = queries.quarantine_reasons(context.snapshot)
    if not rows:
        return [states.empty(t, t("state.empty.no_rows"))]
    labels = queries.reason_labels(context.snapshot, t.language)
    shown = [{**row, "id": index, "meaning": reason_words(row["reason"], labels)} for index, row in enumerate(rows)]
    columns = [
        Column("source", t("column.source"), width=100),
        Column("feed", t("column.feed")),
        Column("meaning", t("column.reason"), "long", width=190),
        Column("rows", t("column.rows"), "number", width=90),
    ]
    first = rows[0]
    return [
        html.Div(
            [
                html.Div(
                    [
                        html.H3(t("health.reasons")),
                        data_grid(t, REASONS, columns, shown, label=t("health.reasons"), selectable=True),
                        html.P(t("health.pick_reason"), className="lead"),
                    ]
                ),
                html.Div(samples(context, first), id=SAMPLES, **{"aria-live": "polite"}),
            ],
            className="two",
        )
    ]


def reason_words(reason: str, labels: Mapping[str, str]) -> str:
    """`amount:invalid` as `amount: cannot be read`; a rule or a damaged record by its label alone."""
    where, _, code = reason.partition(":")
    label = labels.get(code, code)
    return label if where in ("rule", "record") else f"{where}: {label}"


def samples(context: PageContext, reason: Any) -> list[Any]:
    """Rows of one reason, their content masked."""
    t = context.t
    rows = queries.quarantine_samples(
        context.snapshot, source=reason["source"], feed=reason["feed"], reason=reason["reason"], limit=SAMPLE_ROWS
    )
    columns = [
        Column("file", t("column.file"), width=160),
        Column("record", t("column.record"), "number", width=90),
        Column("key", t("column.key"), width=110),
        Column("content", t("column.content"), "long"),
    ]
    words = reason_words(reason["reason"], queries.reason_labels(context.snapshot, t.language))
    heading = html.H3(t("health.samples_of", reason=words))
    if not rows:
        return [heading, states.empty(t, t("state.empty.no_rows"))]
    note = t("health.rows_shown", shown=t.integer(len(rows)), total=t.integer(reason["rows"]))
    return [
        heading,
        data_grid(t, "grid-samples", columns, rows, label=t("column.content"), downloadable=False),
        html.P(note, className="lead"),
    ]


def _tests(t: Translator, rows: Rows) -> list[Any]:
    if not rows:
        return [states.empty(t, t("state.empty.no_rows"))]
    failed = sum(row["status"] != "pass" for row in rows)
    if failed:
        verdict = _verdict(False, t("health.tests_some_failed", failed=t.integer(failed), count=t.integer(len(rows))))
    else:
        verdict = _verdict(True, t("health.tests_all_passed", count=t.integer(len(rows))))
    shown = [
        {
            "test": row["name"],
            "status": word(t, row["status"]),
            "severity": word(t, row["severity"]),
            "failures": row["failures"],
            "tone": "good" if row["status"] == "pass" else "bad",
        }
        for row in rows
    ]
    columns = [
        Column("test", t("column.test"), "long"),
        Column("status", t("column.status"), class_rules=_BAD, width=100),
        Column("severity", t("column.severity"), width=100),
        Column("failures", t("column.failures"), "number"),
    ]
    return [verdict, data_grid(t, "grid-tests", columns, shown, label=t("health.tests"), height_rows=8)]


def _loads(t: Translator, rows: Rows) -> Any:
    if not rows:
        return states.empty(t, t("state.empty.no_rows"))
    shown = [
        {
            **{name: row[name] for name in ("source", "file", "delivery", "rows", "damaged", "message")},
            "table": row["table"],
            "status": word(t, row["status"]),
            "loaded_at": t.moment(row["loaded_at"]),
            "tone": "bad" if row["status"] == "refused" else "warn" if row["damaged"] else "good",
        }
        for row in rows
    ]
    columns = [
        Column("source", t("column.source"), width=100),
        Column("file", t("column.file"), "long", width=200),
        Column("table", t("column.table")),
        Column("delivery", t("column.delivery"), width=100),
        Column("status", t("column.status"), class_rules=_BAD, width=90),
        Column("rows", t("column.rows"), "number"),
        Column("damaged", t("column.damaged"), "number", width=90),
        Column("loaded_at", t("column.loaded_at"), width=185),
        Column("message", t("column.message"), "long", width=140),
    ]
    return data_grid(t, "grid-loads", columns, shown, label=t("health.loads"), height_rows=12)


def _runs(t: Translator, rows: Rows) -> Any:
    if not rows:
        return states.empty(t, t("state.empty.no_rows"))
    shown = [
        {
            "run": row["run_id"],
            "outcome": word(t, row["outcome"]),
            "started": t.moment(row["started_at"]),
            "finished": t.moment(row["finished_at"]),
            "seconds": row["seconds"],
            "tone": "good" if row["outcome"] in ("success", "succeeded", "published") else "bad",
        }
        for row in rows
    ]
    columns = [
        Column("run", t("column.run"), width=180),
        Column("outcome", t("column.outcome"), class_rules=_BAD),
        Column("started", t("column.started"), width=185),
        Column("finished", t("column.finished"), width=185),
        Column("seconds", t("column.seconds"), "number"),
    ]
    return data_grid(t, "grid-runs", columns, shown, label=t("health.runs"), height_rows=6)


def _verdict(good: bool, text: str) -> html.Div:
    mark = html.Span("✓" if good else "✗", className="verdict-mark", **{"aria-hidden": "true"})
    return html.Div(
        [mark, html.Span(text)],
        className="verdict verdict-good" if good else "verdict verdict-bad",
        role="status" if good else "alert",
    )


def word(t: Translator, value: str | None) -> str:
    """A state of the data in the reader's language; one that has no translation is shown as it is."""
    if not value:
        return EMPTY
    return t(f"health.{value}") if t.has(f"health.{value}") else value


def register(app: dash.Dash, store: SnapshotStore) -> None:
    """A reason picked in the grid shows its rows."""

    @app.callback(
        Output(SAMPLES, "children"),
        Input(REASONS, "selectedRows"),
        State("language", "data"),
        prevent_initial_call=True,
    )
    def show_samples(selected: Sequence[dict[str, Any]] | None, language: str) -> list[Any]:
        if not selected:
            raise PreventUpdate
        try:
            snapshot = store.current()
        except NoSnapshot:
            raise PreventUpdate from None
        return samples(PageContext(snapshot, View(), translator(language)), selected[0])


TABS: dict[str, Callable[[PageContext], list[Any]]] = {
    "sources": _sources,
    "quarantine": _held_back,
    "files": _files,
    "build": _build,
    "coverage": _bases,
}

PAGE = Page(key="data_health", path=PATH, render=render, uses_filters=False, register=register)
