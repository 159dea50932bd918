"""The frame around every page: header, menu, language switch, banner, filter bar, and the callbacks that tie them to the URL.

The rules that keep it simple:
- The URL is the only state. Filter controls write the query string; the page is drawn from it.
- The token of the published snapshot is the second input: when it changes, the page is drawn again, and nothing else happens.
- Words of the shell are fixed when the document loads (switching the language loads it anew), so no callback rewrites them.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboards import theme
from dashboards.components import download, filters, states
from dashboards.components.banner import DataState, status_banner
from dashboards.data import files, queries
from dashboards.data.snapshot import NoSnapshot, Snapshot, SnapshotStore
from dashboards.i18n import LANGUAGES, Translator, translator
from dashboards.pages import PAGES, Page, PageContext, page_at
from dashboards.state import View, parse_view

URL = "url"
LANGUAGE = "language"
VERSION = "published-version"
POLL = "poll"
TITLE = "document-title"
CONTENT = "page-content"
BANNER = "status-banner"
MENU = "menu"
SWITCH = "language-switch"
NOTICES = "notices"
FRAME = "frame"
BURGER = "burger"
NO_VERSION = "none"

_log = logging.getLogger(__name__)


# What the callbacks compute, as plain functions


def published_token(store: SnapshotStore) -> str:
    """Changes whenever a page must be drawn again: another snapshot, none any more, another outcome of the last run."""
    try:
        snapshot = store.current()
    except NoSnapshot:
        return f"{NO_VERSION}/{queries.status_token(store)}"
    return f"{snapshot.version}/{queries.status_token(store)}"


def data_state(snapshot: Snapshot, t: Translator) -> DataState:
    """The published data's age and troubles in the reader's language."""
    facts = queries.snapshot_facts(snapshot)
    failure = queries.last_failure(snapshot)
    return DataState(
        until=t.date(facts.data_until),
        published=t.moment(facts.built_at),
        failed_at=t.moment(failure.at) if failure else None,
        failure=failure.reason if failure else None,
        is_stale=facts.is_stale,
        stale_reasons=facts.stale_reasons,
    )


def menu(t: Translator, current: Page | None, view: View) -> list[dmc.NavLink]:
    """Links to all pages; they keep the filters."""
    return [
        dmc.NavLink(
            label=t(f"page.{page.key}.name"),
            href=page.path + (view if page is current else view.elsewhere()).query(),
            active=page is current,
            **{"aria-current": "page" if page is current else "false"},
        )
        for page in PAGES
        if page.in_menu
    ]


def language_switch(t: Translator, path: str, view: View) -> list[html.A]:
    """The same view in each language; the document is loaded anew, so that every word changes."""
    return [
        html.A(
            translator(language)(f"language.{language}"),
            href=path + view.with_language(language).query(),
            lang=translator(language).html_language,
            className="language language-current" if language == t.language else "language",
            **{"aria-current": "true" if language == t.language else "false"},
        )
        for language in LANGUAGES
    ]


def notices(t: Translator, view: View, choices: filters.Choices) -> list[html.Div]:
    """What a link says that cannot be followed."""
    found: list[html.Div] = []
    if view.not_understood:
        found.append(states.notice(t("filter.not_understood", names=", ".join(view.not_understood)), kind="warning"))
    unknown: list[str] = []
    for values, known in (
        (view.units, choices.units),
        (view.channels, choices.channels),
        (view.products, choices.products),
        (view.kinds, choices.kinds),
    ):
        there = {choice.value for choice in known}
        unknown += [value for value in values if value not in there]
    if unknown:
        found.append(states.notice(t("filter.not_known", values=", ".join(unknown)), kind="warning"))
    return found


def render(store: SnapshotStore, path: str | None, search: str | None, language: str) -> dict[str, Any]:
    """Everything below the header for an address: content, banner, notices, whether filters are shown, document title."""
    t = translator(language)
    view = parse_view(search)
    page = page_at(path)
    result: dict[str, Any] = {"banner": None, "notices": [], "filters": False, "title": t("app.name")}
    if page is None:
        return result | {"content": states.not_found(t, path or "/", "/" + view.query())}
    result["title"] = t("app.document_title", page=t(f"page.{page.key}.name"))
    try:
        snapshot = store.current()
        context = PageContext(snapshot, view, t)
        health = next(page.path for page in PAGES if page.key == "data_health") + view.elsewhere().query()
        result["banner"] = status_banner(t, data_state(snapshot, t), health)
        if page.uses_filters:
            result["notices"] = notices(t, view, queries.filter_choices(snapshot, language))
        result["content"] = page.render(context)
        result["filters"] = page.uses_filters
    except NoSnapshot as error:
        if error.was_published:
            content = states.gone(t)
        else:
            failure = queries.last_failure_of(store)
            content = states.no_snapshot(
                t, failed_at=t.moment(failure.at) if failure else None, reason=failure.reason if failure else None
            )
        return result | {"content": content, "banner": None, "notices": [], "filters": False}
    except Exception:
        # The one net under all pages: a reader gets a designed state with a number, the log gets the trace under it.
        reference = secrets.token_hex(4)
        _log.exception("page %s failed for %r, reference %s", page.key, search, reference)
        result["content"] = states.error(t, reference, page.path + view.query())
    return result


def asked_file(
    store: SnapshotStore, path: str | None, search: str | None, language: str, key: str, kind: str
) -> tuple[str, bytes, str] | None:
    """A table of a page as a file: name, content, media type. None when the page has no such table.

    The page is drawn anew, so the file holds what its reader sees there.
    """
    if kind not in files.MEDIA_TYPES:
        return None
    with download.collecting() as offers:
        render(store, path, search, language)
    found = offers.get(key)
    if found is None:
        return None
    until = queries.last_day(store.current())
    content = files.table_file(found.make(), kind, found.title)
    return files.file_name(found.title, until, kind), content, files.MEDIA_TYPES[kind]


def change_view(view: View, control: str, values: Mapping[str, Any], last_day: date) -> View:
    """The view after a reader changed one control."""
    lists = {
        "units": tuple(values[filters.UNITS] or ()),
        "channels": tuple(values[filters.CHANNELS] or ()),
        "products": tuple(values[filters.PRODUCTS] or ()),
        "kinds": tuple(values[filters.KINDS] or ()),
    }
    if control == filters.CLEAR:
        return View(language=view.language, own=view.own)
    if control == filters.PERIOD:
        period = values[filters.PERIOD] or view.period
        if period == "custom":
            span = view.span(last_day)
            return replace(view, period=period, start=span.start, end=span.end)
        return replace(view, period=period, start=None, end=None)
    if control == filters.DAYS:
        first, last = [*(values[filters.DAYS] or []), None, None][:2]
        span = view.span(last_day)
        if not first or not last or (span.start.isoformat(), span.end.isoformat()) == (first[:10], last[:10]):
            return view
        return replace(view, period="custom", start=date.fromisoformat(first[:10]), end=date.fromisoformat(last[:10]))
    if control == filters.COMPARISON:
        return replace(view, comparison=values[filters.COMPARISON] or view.comparison)
    return replace(view, **lists)


# Layout


def layout(store: SnapshotStore, language: str, poll_seconds: float) -> dmc.MantineProvider:
    """The document. Called once a load."""
    t = translator(language)
    try:
        choices = queries.filter_choices(store.current(), language)
    except NoSnapshot:
        choices = filters.Choices()
    header = dmc.AppShellHeader(
        [
            dmc.Burger(id=BURGER, opened=False, hiddenFrom="sm", size="sm", **{"aria-label": t("app.menu")}),
            html.A(
                [
                    html.Span(t("app.name"), className="brand-name"),
                    html.Span(t("app.tagline"), className="brand-tagline"),
                ],
                href="/",
                className="brand",
            ),
            html.Div(
                [
                    html.Button(t("app.print"), id="print", type="button", n_clicks=0, className="quiet-button"),
                    html.Div(id=SWITCH, className="languages", role="group", **{"aria-label": t("app.language")}),
                ],
                className="header-end",
            ),
        ],
        className="header",
    )
    navigation = dmc.AppShellNavbar(html.Nav(id=MENU, **{"aria-label": t("app.navigation")}), className="navigation")
    main = dmc.AppShellMain(
        [
            html.Div(id=BANNER),
            filters.filter_bar(t, choices),
            html.Div(id=NOTICES, className="notices"),
            dcc.Loading(
                html.Div(id=CONTENT, className="content"),
                custom_spinner=states.loading_bar(t),
                # What was there stays visible, dimmed, until the new content is ready; a quick answer shows no bar at all.
                overlay_style={"visibility": "visible", "opacity": 0.55},
                delay_show=350,
                target_components={CONTENT: "children"},
            ),
        ],
        id="main",
        className="main",
    )
    frame = dmc.AppShell(
        [header, navigation, main],
        id=FRAME,
        header={"height": 56},
        navbar={"width": 196, "breakpoint": "sm", "collapsed": {"mobile": True}},
        padding="md",
    )
    return dmc.MantineProvider(
        dmc.DatesProvider(
            [
                html.A(t("app.skip"), href="#main", className="skip"),
                dcc.Location(id=URL, refresh=False),
                dcc.Store(id=LANGUAGE, data=language),
                dcc.Store(id=VERSION, data=published_token(store)),
                dcc.Store(id=TITLE),
                dcc.Store(id=download.ASKED),
                dcc.Download(id=download.FILE),
                dcc.Interval(id=POLL, interval=round(poll_seconds * 1000)),
                html.Div(id="page-ready", hidden=True),
                frame,
            ],
            settings={"locale": t.date_picker_locale, "firstDayOfWeek": 1, "weekendDays": [0, 6]},
        ),
        theme=theme.MANTINE,
        forceColorScheme="light",
    )


# Callbacks


def register(app: dash.Dash, store: SnapshotStore) -> None:
    """Add the shell's callbacks and those of the pages."""

    @app.callback(
        Output(CONTENT, "children"),
        Output(BANNER, "children"),
        Output(NOTICES, "children"),
        Output(filters.BAR, "hidden"),
        Output(MENU, "children"),
        Output(SWITCH, "children"),
        Output(TITLE, "data"),
        Input(URL, "pathname"),
        Input(URL, "search"),
        Input(VERSION, "data"),
        State(LANGUAGE, "data"),
    )
    def show(path: str | None, search: str | None, _version: str, language: str) -> tuple[Any, ...]:
        t = translator(language)
        view = parse_view(search)
        shown = render(store, path, search, language)
        return (
            shown["content"],
            shown["banner"],
            shown["notices"],
            not shown["filters"],
            menu(t, page_at(path), view),
            language_switch(t, path or "/", view),
            shown["title"],
        )

    @app.callback(
        Output(VERSION, "data"), Input(POLL, "n_intervals"), State(VERSION, "data"), prevent_initial_call=True
    )
    def look_for_news(_count: int, known: str) -> str:
        token = published_token(store)
        if token == known:
            raise PreventUpdate
        return token

    @app.callback(
        *(Output(control, "data") for control in filters.LISTS),
        Input(VERSION, "data"),
        State(LANGUAGE, "data"),
        prevent_initial_call=True,
    )
    def refresh_choices(_version: str, language: str) -> tuple[Any, ...]:
        try:
            return queries.filter_choices(store.current(), language).options()
        except NoSnapshot:
            raise PreventUpdate from None

    controls = (filters.PERIOD, filters.DAYS, filters.COMPARISON, *filters.LISTS)

    # One callback both ways (URL -> controls, control -> URL), because two would be a circle.
    @app.callback(
        Output(URL, "search"),
        *(Output(control, "value") for control in controls),
        Input(URL, "search"),
        Input(VERSION, "data"),
        Input(filters.CLEAR, "n_clicks"),
        *(Input(control, "value") for control in controls),
    )
    def follow(search: str | None, _version: str, _clicks: int, *values: Any) -> tuple[Any, ...]:
        try:
            snapshot = store.current()
            last_day = queries.last_day(snapshot)
            choices = queries.filter_choices(snapshot, LANGUAGES[0])
        except NoSnapshot:
            raise PreventUpdate from None
        present = dict(zip(controls, values, strict=True))
        view = parse_view(search)
        trigger = ctx.triggered_id
        if trigger in (*controls, filters.CLEAR):
            if trigger == filters.DAYS and None in [*(present[filters.DAYS] or [None])]:
                # The first of two days has been picked; wait for the second.
                raise PreventUpdate
            view = change_view(view, str(trigger), present, last_day)
        span = view.span(last_day)
        wanted = {
            filters.PERIOD: view.period,
            filters.DAYS: [span.start.isoformat(), span.end.isoformat()],
            filters.COMPARISON: view.comparison,
            filters.UNITS: _known(view.units, choices.units),
            filters.CHANNELS: _known(view.channels, choices.channels),
            filters.PRODUCTS: _known(view.products, choices.products),
            filters.KINDS: _known(view.kinds, choices.kinds),
        }
        query = view.query()
        return (
            no_update if query == (search or "") or parse_view(search) == view else query,
            *(no_update if wanted[name] == present[name] else wanted[name] for name in controls),
        )

    @app.callback(
        Output(download.FILE, "data"),
        Input(download.ASKED, "data"),
        State(URL, "pathname"),
        State(URL, "search"),
        State(LANGUAGE, "data"),
        prevent_initial_call=True,
    )
    def give_file(asked: Any, path: str | None, search: str | None, language: str) -> dict[str, Any]:
        wanted = asked if isinstance(asked, dict) else {}
        try:
            found = asked_file(store, path, search, language, str(wanted.get("key")), str(wanted.get("kind")))
        except NoSnapshot:
            raise PreventUpdate from None
        if found is None:
            raise PreventUpdate
        name, content, media_type = found
        return dict(dcc.send_bytes(content, name, type=media_type))

    app.clientside_callback(
        ClientsideFunction("csatlas", "setTitle"), Output("page-ready", "title"), Input(TITLE, "data")
    )
    app.clientside_callback(
        ClientsideFunction("csatlas", "toggleMenu"),
        Output(FRAME, "navbar"),
        Output(BURGER, "aria-expanded"),
        Input(BURGER, "opened"),
        State(FRAME, "navbar"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("csatlas", "closeMenu"), Output(BURGER, "opened"), Input(URL, "pathname")
    )
    app.clientside_callback(
        ClientsideFunction("csatlas", "printPage"),
        Output("print", "title"),
        Input("print", "n_clicks"),
        prevent_initial_call=True,
    )
    for page in PAGES:
        if page.register is not None:
            page.register(app, store)


def _known(values: tuple[str, ...], choices: Any) -> list[str]:
    there = {choice.value for choice in choices}
    return [value for value in values if value in there]
