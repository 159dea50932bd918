"""Puts the Dash application together: server, assets, shell, headers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dash
from flask import Flask, Response, has_request_context, request
from werkzeug.middleware.proxy_fix import ProxyFix

from dashboards import shell
from dashboards.auth import Guard
from dashboards.data.snapshot import SnapshotStore
from dashboards.i18n import LANGUAGES, translator
from dashboards.openid_settings import SignInSettings
from dashboards.pages import page_at
from dashboards.report_files import add_report_files
from dashboards.security import add_security_headers
from dashboards.state import choose_language, parse_view

LANGUAGE_COOKIE = "csatlas_language"
_A_YEAR = 365 * 24 * 3600

_INDEX = """<!DOCTYPE html>
<html lang="{%html_language%}">
<head>
{%metas%}
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
<noscript>{%noscript%}</noscript>
{%app_entry%}
<footer>
{%config%}
{%scripts%}
{%renderer%}
</footer>
</body>
</html>
"""


class _Application(dash.Dash):
    """Dash, with the language of the request in the page's frame."""

    def interpolate_index(self, **parts: Any) -> str:  # type: ignore[override]  # Dash gives every part by name
        t = translator(request_language())
        page = page_at(request.path if has_request_context() else "/")
        name = t(f"page.{page.key}.name") if page else t("app.name")
        parts["title"] = t("app.document_title", page=name)
        parts |= {"html_language": t.html_language, "noscript": t("app.script_needed")}
        text = _INDEX
        for key, value in parts.items():
            text = text.replace("{%" + key + "%}", value)
        return text


def request_language() -> str:
    """The language of the request in hand: its link, the remembered one, the browser's."""
    if not has_request_context():
        # Dash calls the layout once while it starts.
        return LANGUAGES[0]
    return choose_language(
        request.query_string.decode("utf-8", "replace"),
        request.cookies.get(LANGUAGE_COOKIE),
        request.headers.get("Accept-Language"),
    )


def _remember_language(server: Flask) -> None:
    @server.after_request
    def remember(response: Response) -> Response:
        # A link that names a language sets it, so that the layout request that follows (without the link's query) agrees.
        if response.mimetype == "text/html" and "lang" in request.args:
            asked = parse_view(request.query_string.decode("utf-8", "replace")).language
            if asked:
                response.set_cookie(
                    LANGUAGE_COOKIE, asked, max_age=_A_YEAR, samesite="Lax", httponly=True, secure=request.is_secure
                )
        return response


def create_app(
    serving: Path,
    *,
    poll_seconds: float = 15.0,
    secret: str = "",
    sign_in: SignInSettings | None = None,
    chromium: str | None = None,
) -> dash.Dash:
    """The dashboards over the snapshots of one serving folder.

    Args:
        serving: folder with `current`, the snapshots and `status.json`. It need not exist yet. The folder above it, the home, holds the accounts.
        poll_seconds: how often an open page looks for a new snapshot.
        secret: what sessions are signed with; empty = a key in the home.
        sign_in: how readers sign in, and the proxies they come through; None = by local accounts, directly.
        chromium: program that prints reports as PDF; None = the first found.
    """
    app = _Application(
        __name__,
        assets_folder=str(Path(__file__).with_name("assets")),
        title="csatlas",
        update_title=None,  # type: ignore[arg-type]
        serve_locally=True,
        suppress_callback_exceptions=True,
        include_pages_meta=False,
        enable_mcp=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "referrer", "content": "same-origin"},
        ],
    )
    guard = Guard(
        app.server, serving.parent, secret=secret, sign_in=sign_in, language=request_language, quiet=shell.asked_by_page
    )
    store = SnapshotStore(serving, viewer=guard.viewer, note=guard.note)
    app.layout = lambda: shell.layout(store, request_language(), poll_seconds)
    shell.register(app, store)
    add_report_files(app.server, store, request_language, chromium=chromium)
    _remember_language(app.server)
    add_security_headers(app.server, app.csp_hashes())
    if sign_in is not None and sign_in.proxies:
        # Only so many proxies are believed; what a reader wrote into the headers stands before theirs and is not looked at.
        count = sign_in.proxies
        app.server.wsgi_app = ProxyFix(app.server.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app
