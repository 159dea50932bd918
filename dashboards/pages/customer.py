"""One customer's history file: what to know first, what is open, what happened."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboards.components import states
from dashboards.components.grid import Column, data_grid
from dashboards.components.section import facts, page_head, section
from dashboards.data import customers
from dashboards.data.customers import CustomerError, CustomerFile, Words
from dashboards.data.snapshot import SnapshotStore
from dashboards.i18n import EMPTY, Translator
from dashboards.pages.base import Page, PageContext
from dashboards.state import parse_view

PATH = "/customer"
WHO = "customer-who"
FIND = "customer-find"
MOST_ENTRIES = 500
SHORT_KEY = 12
OWN_PARTS = ("tiers", "promises")
"""Parts of the history that have a section of their own."""


def render(context: PageContext) -> html.Div:
    """The page."""
    t = context.t
    asked = context.view.of_page("who").strip()
    details = []
    body: list[Any]
    if not asked:
        risks = dcc.Link(t("customer.to_risk"), href=context.link("/customers", tab="churn"))
        body = [html.Div([html.P(t("customer.ask_lead")), html.P(risks)], className="panel")]
    else:
        try:
            key = customers.find_customer(context.snapshot, asked)
            file = customers.customer_file(context.snapshot, key, limit=MOST_ENTRIES)
        except CustomerError as error:
            body = [states.notice(t(f"customer.problem.{error.problem}", who=asked), kind="warning")]
        else:
            details = [html.Div(t("customer.as_of", day=t.date(file.as_of)), className="shown")]
            body = _file(context, file)
    return html.Div([page_head(t("page.customer.title"), t("page.customer.lead"), *details), _ask(t, asked), *body])


def _ask(t: Translator, asked: str) -> html.Div:
    return html.Div(
        [
            dmc.TextInput(
                id=WHO,
                label=t("customer.ask"),
                placeholder=t("customer.ask_placeholder"),
                value=asked,
                size="sm",
                className="filter",
            ),
            html.Button(t("customer.find"), id=FIND, type="button", n_clicks=0, className="button"),
        ],
        className="ask panel",
        role="search",
    )


def _file(context: PageContext, file: CustomerFile) -> list[Any]:
    t, snapshot = context.t, context.snapshot
    words = Words(snapshot, t)
    said = customers.sentences(file, words, t)
    still_open = customers.customer_entries(snapshot, file.customer_key, limit=MOST_ENTRIES, only_open=True)
    found: list[Any] = []
    if file.profile["is_gone"]:
        found.append(states.notice(t("customer.gone"), kind="warning"))
    if file.missing:
        named = t("customer.and").join(t(f"customer.part.{part}") for part in file.missing)
        found.append(states.notice(t("customer.missing", parts=named)))
    found.append(
        section(
            "profile",
            t("customer.title", customer=file.customer_key[:SHORT_KEY]),
            html.Div(facts(_profile(t, file, words)), className="panel"),
            lead=t("customer.pseudonym"),
        )
    )
    found.append(
        section(
            "first",
            t("customer.first"),
            html.Div(
                html.Ul([html.Li(sentence) for sentence in said], className="says")
                if said
                else states.empty(t, t("customer.nothing")),
                className="panel",
            ),
            lead=t("customer.first_lead"),
        )
    )
    found.append(_entries(t, words, "open", t("customer.open_points"), still_open, t("customer.none_open")))
    for part in OWN_PARTS:
        if part in file.missing:
            continue
        own = customers.customer_entries(snapshot, file.customer_key, limit=MOST_ENTRIES, parts=[part])
        found.append(_entries(t, words, part, t(f"customer.part.{part}"), own, t("state.empty.no_rows")))
    found.append(
        _entries(
            t,
            words,
            "timeline",
            t("customer.timeline"),
            (file.entries, file.total),
            t("customer.nothing"),
            height_rows=14,
        )
    )
    return found


def _profile(t: Translator, file: CustomerFile, words: Words) -> list[tuple[str, Any]]:
    profile = file.profile
    sources = EMPTY if profile["source_count"] is None else t.integer(profile["source_count"])
    records = EMPTY if profile["member_count"] is None else t.integer(profile["member_count"])
    since = profile["customer_since"]
    return [
        (t("customer.key"), file.customer_key),
        (t("filter.kind"), words("customer_kind", profile["customer_kind"])),
        (t("filter.unit"), words("org_unit_id", profile["org_unit_id"])),
        (t("customer.region"), profile["region"] or EMPTY),
        (t("customer.industry"), words("industry", profile["industry"]) if profile["industry"] else EMPTY),
        (t("customer.speaks"), words("language", profile["language"]) if profile["language"] else EMPTY),
        (t("customer.since"), t.date(since) if since else EMPTY),
        (t("customer.sources"), sources),
        (t("customer.records"), records),
    ]


def _entries(
    t: Translator,
    words: Words,
    key: str,
    title: str,
    found: tuple[list[dict[str, Any]], int],
    nothing: str,
    height_rows: int = 6,
) -> html.Section:
    entries, total = found
    if not entries:
        return section(key, title, states.empty(t, nothing))
    rows = [
        {
            "at": entry["happened_at"].date().isoformat()
            if entry["is_day"]
            else entry["happened_at"].isoformat(sep=" ", timespec="minutes"),
            "part": t(f"customer.part.{entry['part']}"),
            "what": customers.entry_words(entry, words, t),
            "open": t("customer.open") if entry["is_open"] else "",
            "source": entry["source"],
            "record": entry["record_id"],
        }
        for entry in entries
    ]
    columns = [
        Column("at", t("customer.when"), width=165),
        *([] if key in OWN_PARTS else [Column("part", t("customer.area"), width=110)]),
        Column("what", t("customer.what"), "long", width=300, wraps=True),
        Column("open", t("column.status"), width=80),
        Column("source", t("column.source"), width=100),
        Column("record", t("customer.record"), width=150),
    ]
    note = t("customer.shown", shown=t.integer(len(rows)), total=t.integer(total))
    grid = data_grid(t, f"customer-{key}", columns, rows, label=title, height_rows=height_rows)
    return section(key, title, grid, html.P(note, className="lead"))


def register(app: dash.Dash, store: SnapshotStore) -> None:
    """Who is looked for goes into the address; the page is drawn from there."""

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(FIND, "n_clicks"),
        Input(WHO, "n_submit"),
        State(WHO, "value"),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def find(clicks: int | None, submits: int | None, who: str | None, search: str | None, path: str | None) -> str:
        if path != PAGE.path or not (clicks or submits):
            raise PreventUpdate
        view = parse_view(search)
        changed = view.with_own(who=(who or "").strip())
        if changed == view:
            raise PreventUpdate
        return changed.query()


PAGE = Page(key="customer", path=PATH, render=render, uses_filters=False, register=register)
