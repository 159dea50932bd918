"""Sign-in: who a request comes from, and what it may do before that is known.

Belongs here: sessions, the sign-in and sign-out pages, and the guard before every answer. Does not belong here: accounts (accounts) and what a reader may see of the
data (data.rights).

A home without a file of accounts is answered on this machine only. As soon as there is one, every address but the sign-in page and its style sheet asks for a session.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, Request, Response, g, has_request_context, make_response, redirect, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.wrappers import Response as AnyResponse

from dashboards.accounts import Account, AccountError, Accounts, note, session_secret
from dashboards.data.rights import EVERYTHING, NOBODY, Viewer
from dashboards.i18n import LANGUAGES, translator

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
IDLE_SECONDS = 60 * 60
LONGEST_SECONDS = 12 * 60 * 60
WARM_UP = "csatlas.warm_up"
"""Key of the WSGI environment by which the server's own first request is told from those of readers, who cannot set it."""
_OPEN = ("/assets/csatlas.css", "/_favicon.ico", "/favicon.ico")
_SEEN_EVERY = 60.0


class _Cookies(SecureCookieSessionInterface):
    """Sessions whose cookie travels only encrypted where the reader came encrypted, also through a proxy that says so."""

    def __init__(self, accounts: Accounts, secret: Callable[[], bytes]) -> None:
        self._accounts, self._secret = accounts, secret

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        # The key is made when the first user is there, not before.
        if app.secret_key is None and self._accounts.exist():
            app.secret_key = self._secret()
        return super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure or request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip() == "https"


def _stamp(account: Account) -> str:
    """Changes with everything about an account; a session of another stamp has ended."""
    return hashlib.sha256(json.dumps(asdict(account)).encode()).hexdigest()[:32]


def safe_next(target: str | None) -> str:
    """Where to go after the sign-in: a path of this server, or the first page."""
    text = target or "/"
    if not text.startswith("/") or text.startswith("//") or "\\" in text or any(ord(letter) < 32 for letter in text):
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc or parts.path in (SIGN_IN, SIGN_OUT) else text


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _comes_from_elsewhere() -> bool:
    """Whether a browser says that the request was made by a page of another site."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host


class Guard:
    """Stands before every answer of a server."""

    def __init__(
        self, server: Flask, home: Path, *, secret: str = "", language: Callable[[], str], quiet: Callable[[Any], bool]
    ) -> None:
        """
        Args:
            home: folder with the files of accounts.
            secret: what sessions are signed with; empty = a key in the home.
            language: language of the request in hand.
            quiet: whether the body of a callback says that it was asked by the page itself, not by the reader; such requests keep no session alive.
        """
        self._home, self._language, self._quiet = home, language, quiet
        self.accounts = Accounts(home)
        server.session_interface = _Cookies(self.accounts, lambda: session_secret(home, secret))
        server.config.update(
            SESSION_COOKIE_NAME="csatlas_session",
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE="Lax",
            SESSION_REFRESH_EACH_REQUEST=False,
        )
        server.before_request(self._admit)
        server.add_url_rule(SIGN_IN, "sign_in", self._sign_in, methods=["GET", "POST"])
        server.add_url_rule(SIGN_OUT, "sign_out", self._sign_out, methods=["GET", "POST"])

    def viewer(self) -> Viewer:
        """Who asks at this moment. Outside of a request nobody does."""
        if has_request_context() and "viewer" in g:
            found: Viewer = g.viewer
            return found
        return NOBODY if self.accounts.exist() else EVERYTHING

    def note(self, event: str, **facts: Any) -> None:
        """Write down what somebody did."""
        note(
            self._home,
            event,
            user=self.viewer().user,
            address=request.remote_addr if has_request_context() else None,
            **facts,
        )

    # Before every answer

    def _admit(self) -> AnyResponse | None:
        if request.environ.get(WARM_UP):
            g.viewer = NOBODY
            return None
        if not self.accounts.exist():
            host = urlsplit(f"//{request.host}").hostname or ""
            if not _is_loopback(request.remote_addr or "") or not _is_loopback(host):
                # The name too: a page elsewhere can make a browser ask this machine under a name of its own.
                return self._refused(403, "auth.no_users")
            g.viewer = EVERYTHING
            return None
        if request.method not in ("GET", "HEAD", "OPTIONS") and _comes_from_elsewhere():
            return self._refused(403, "auth.elsewhere")
        account = self._account()
        if account is not None:
            g.viewer = account.viewer
            self._keep_alive()
            return None
        g.viewer = NOBODY
        if request.path in (SIGN_IN, SIGN_OUT, *_OPEN):
            return None
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            query = request.query_string.decode("utf-8", "replace")
            target = request.path + (f"?{query}" if query else "")
            return redirect(f"{SIGN_IN}?next={quote(target, safe='')}&lang={self._language()}")
        return self._refused(401, "auth.needed")

    def _account(self) -> Account | None:
        """The account of a session that has not ended."""
        name = session.get("user")
        if name is None:
            return None
        account, now = self.accounts.all().get(name), time.time()
        if (
            account is None
            or not hmac.compare_digest(str(session.get("stamp")), _stamp(account))
            or not now - LONGEST_SECONDS < session.get("since", 0) <= now
            or not now - IDLE_SECONDS < session.get("seen", 0)
        ):
            session.clear()
            return None
        return account

    def _keep_alive(self) -> None:
        asked_by_page = request.method == "POST" and request.is_json and self._quiet(request.get_json(silent=True))
        if not asked_by_page and time.time() - session["seen"] > _SEEN_EVERY:
            session["seen"] = time.time()

    def _refused(self, status: int, key: str) -> Response:
        return Response(translator(self._language())(key), status, mimetype="text/plain")

    # Pages

    def _token(self) -> str:
        if "csrf" not in session:
            session["csrf"] = secrets.token_urlsafe(24)
        token: str = session["csrf"]
        return token

    def _token_is_right(self) -> bool:
        known = session.get("csrf")
        return known is not None and hmac.compare_digest(known.encode(), request.form.get("csrf", "").encode())

    def _sign_in(self) -> AnyResponse:
        target = safe_next(request.values.get("next"))
        if not self.accounts.exist() or (request.method == "GET" and self.viewer().user is not None):
            return redirect(target)
        if request.method == "GET":
            return self._sign_in_page(target)
        if not self._token_is_right():
            return self._sign_in_page(target, "auth.expired", status=400)
        name, address = request.form.get("name", "").strip(), request.remote_addr or ""
        try:
            account = self.accounts.verified(name, request.form.get("password", ""), address, time.time())
        except AccountError:
            note(self._home, "sign-in refused: locked", user=name[:64], address=address)
            return self._sign_in_page(target, "auth.locked", name, status=429)
        if account is None:
            note(self._home, "sign-in failed", user=name[:64], address=address)
            return self._sign_in_page(target, "auth.wrong", name, status=401)
        # A new session: one that somebody had planted before is worth nothing now.
        session.clear()
        session.update(user=account.name, stamp=_stamp(account), since=time.time(), seen=time.time())
        note(self._home, "signed in", user=account.name, address=address)
        return redirect(target)

    def _sign_out(self) -> AnyResponse:
        t = translator(self._language())
        user = self.viewer().user
        if user is None:
            return redirect(f"{SIGN_IN}?lang={t.language}")
        if request.method == "POST" and self._token_is_right():
            self.note("signed out")
            session.clear()
            return redirect(f"{SIGN_IN}?lang={t.language}")
        form = (
            f'<p class="sign-text">{escape(t("auth.signed_in_as", user=user))}</p>'
            f'<form method="post" action="{SIGN_OUT}"><input type="hidden" name="csrf" value="{escape(self._token())}">'
            f'<button class="sign-button" type="submit">{escape(t("auth.sign_out"))}</button></form>'
            f'<p class="sign-text"><a href="/">{escape(t("auth.back"))}</a></p>'
        )
        return self._page(t("auth.sign_out"), form, SIGN_OUT)

    def _sign_in_page(self, target: str, problem: str | None = None, name: str = "", status: int = 200) -> AnyResponse:
        t = translator(self._language())
        said = f'<p class="sign-problem" id="problem" role="alert">{escape(t(problem))}</p>' if problem else ""
        described = ' aria-describedby="problem"' if problem else ""
        first, second = ("", " autofocus") if name else (" autofocus", "")
        form = (
            f'{said}<form method="post" action="{SIGN_IN}?lang={t.language}">'
            f'<input type="hidden" name="csrf" value="{escape(self._token())}"><input type="hidden" name="next" value="{escape(target)}">'
            f'<label for="name">{escape(t("auth.name"))}</label>'
            f'<input id="name" name="name" value="{escape(name[:64])}" autocomplete="username" autocapitalize="none" spellcheck="false" required{first}{described}>'
            f'<label for="password">{escape(t("auth.password"))}</label>'
            f'<input id="password" name="password" type="password" autocomplete="current-password" required{second}{described}>'
            f'<button class="sign-button" type="submit">{escape(t("auth.sign_in"))}</button></form>'
            f'<p class="sign-text">{escape(t("auth.forgotten"))}</p>'
        )
        return self._page(t("auth.sign_in"), form, f"{SIGN_IN}?next={quote(target, safe='')}", status)

    def _page(self, title: str, content: str, address: str, status: int = 200) -> AnyResponse:
        """A page without scripts."""
        t = translator(self._language())
        join = "&" if "?" in address else "?"
        switch = "".join(
            f'<a class="language{" language-current" if one == t.language else ""}" lang="{translator(one).html_language}"'
            f' href="{escape(f"{address}{join}lang={one}")}">{escape(translator(one)(f"language.{one}"))}</a>'
            for one in LANGUAGES
        )
        return make_response(
            f'<!DOCTYPE html><html lang="{t.html_language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{escape(t("app.document_title", page=title))}</title><link rel="stylesheet" href="/assets/csatlas.css"></head>'
            f'<body class="sign"><main class="sign-card"><div class="sign-head"><span class="brand-name">{escape(t("app.name"))}</span>'
            f'<nav class="languages" aria-label="{escape(t("app.language"))}">{switch}</nav></div>'
            f'<h1>{escape(title)}</h1><p class="sign-text">{escape(t("app.tagline"))}</p>{content}</main></body></html>',
            status,
        )
