"""The scheduler's page: freshness, accounting, loaded files, quarantine, tests, runs, and which snapshot is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash
from dash import Input, Output, State, html
from dash.exceptions import PreventUpdate

from dashboards.components import states
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import facts, page_head, section
from dashboards.data import queries
from dashboards.data.queries import Rows
from dashboards.data.snapshot import NoSnapshot, SnapshotStore
from dashboards.i18n import EMPTY, Translator, translator
from dashboards.pages.base import Page, PageContext
from dashboards.state import View

REASONS = "quarantine-reasons"
SAMPLES = "quarantine-samples"
SAMPLE_ROWS = 50
FILE_ROWS = 500
_BAD = {
    "cell-bad": "params.data.tone == 'bad'",
    "cell-warn": "params.data.tone == 'warn'",
    "cell-good": "params.data.tone == 'good'",
}


def render(context: PageContext) -> html.Div:
    """The page."""
    t, snapshot = context.t, context.snapshot
    return html.Div(
        [
            page_head(t("page.data_health.title"), t("page.data_health.lead")),
            section("snapshot", t("health.facts"), html.Div(_facts(context), className="panel")),
            section(
                "freshness",
                t("health.freshness"),
                _freshness(t, queries.freshness(snapshot)),
                lead=t("health.freshness_lead"),
            ),
            section("accounting", t("health.accounting"), *_accounting(context), lead=t("health.accounting_lead")),
            section("quarantine", t("health.quarantine"), *_quarantine(context), lead=t("health.quarantine_lead")),
            section("tests", t("health.tests"), *_tests(t, queries.test_results(snapshot))),
            section(
                "loads",
                t("health.loads"),
                _loads(t, queries.loaded_files(snapshot, limit=FILE_ROWS)),
                lead=t("health.loads_lead"),
            ),
            section("runs", t("health.runs"), _runs(t, queries.runs(snapshot))),
        ]
    )


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
        Column("source", t("column.source")),
        Column("feed", t("column.feed"), width=150),
        Column("received", t("column.received"), "number"),
        Column("used", t("column.used"), "number"),
        Column("superseded", t("column.superseded"), "number"),
        Column("quarantined", t("column.quarantined"), "number"),
        Column("share", t("column.share")),
        Column("balanced", t("column.balanced"), class_rules=_BAD, width=90),
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
        Column("loaded_at", t("column.loaded_at"), width=170),
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
        Column("started", t("column.started"), width=170),
        Column("finished", t("column.finished"), width=170),
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


PAGE = Page(key="data_health", path="/data-health", render=render, uses_filters=False, register=register)
