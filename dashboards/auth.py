"""Sign-in: who a request comes from, and what it may do before that is known.

Belongs here: sessions, the sign-in and sign-out pages, and the guard before every answer. Does not belong here: accounts (accounts), the talk with an OpenID provider
(openid) and what a reader may see of the data (data.rights).

A home without a file of accounts is answered on this machine only. As soon as there is one, or an OpenID provider is configured, every address but the sign-in pages and
their style sheet asks for a session.
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

from flask import (
    Flask,
    Request,
    Response,
    current_app,
    g,
    has_request_context,
    make_response,
    redirect,
    request,
    session,
)
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.wrappers import Response as AnyResponse

from dashboards.accounts import Account, AccountError, Accounts, note, session_secret
from dashboards.data.rights import EVERYTHING, NOBODY, Viewer
from dashboards.i18n import LANGUAGES, translator
from dashboards.openid import NotVerifiedError, Provider, ProviderDownError
from dashboards.openid_settings import SignInSettings

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
OPENID, OPENID_BACK = "/sign-in/openid", "/sign-in/openid/back"
IDLE_SECONDS = 60 * 60
LONGEST_SECONDS = 12 * 60 * 60
WARM_UP = "csatlas.warm_up"
"""Key of the WSGI environment by which the server's own first request is told from those of readers, who cannot set it."""
_OPEN = ("/assets/csatlas.css", "/_favicon.ico", "/favicon.ico")
_SEEN_EVERY = 60.0
_WAY_SECONDS = 10 * 60
"""How long somebody may be at the provider before the way back is closed."""
_MOST_WAYS = 2
"""Ways to the provider one browser may be on at a time; they travel in its cookie."""
_LONGEST_NEXT = 1000
_ID_TOKEN = "csatlas_id_token"  # noqa: S105  # the name of a cookie, which is sent to the sign-out page alone
_LARGEST_COOKIE = 3500


class _Cookies(SecureCookieSessionInterface):
    """Sessions whose cookie travels only encrypted where the reader came encrypted, also through a proxy that says so."""

    def __init__(self, needed: Callable[[], bool], secret: Callable[[], bytes]) -> None:
        self._needed, self._secret = needed, secret

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        # The key is made when somebody can sign in, not before.
        if app.secret_key is None and self._needed():
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
        self,
        server: Flask,
        home: Path,
        *,
        secret: str = "",
        sign_in: SignInSettings | None = None,
        language: Callable[[], str],
        quiet: Callable[[Any], bool],
    ) -> None:
        """
        Args:
            home: folder with the files of accounts.
            secret: what sessions are signed with; empty = a key in the home.
            sign_in: how readers sign in; None = by local accounts.
            language: language of the request in hand.
            quiet: whether the body of a callback says that it was asked by the page itself, not by the reader; such requests keep no session alive.
        """
        self._home, self._language, self._quiet = home, language, quiet
        self.accounts = Accounts(home)
        settings = sign_in or SignInSettings()
        self._local = settings.local
        self.provider = Provider(settings.openid) if settings.openid else None
        server.session_interface = self._cookies = _Cookies(self._asks, lambda: session_secret(home, secret))
        server.config.update(
            SESSION_COOKIE_NAME="csatlas_session",
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE="Lax",
            SESSION_REFRESH_EACH_REQUEST=False,
        )
        server.before_request(self._admit)
        server.add_url_rule(SIGN_IN, "sign_in", self._sign_in, methods=["GET", "POST"])
        server.add_url_rule(SIGN_OUT, "sign_out", self._sign_out, methods=["GET", "POST"])
        if self.provider is not None:
            server.add_url_rule(OPENID, "openid", self._depart, methods=["GET"])
            server.add_url_rule(OPENID_BACK, "openid_back", self._arrive, methods=["GET"])

    def _asks(self) -> bool:
        """Whether readers have to sign in."""
        return self.provider is not None or self.accounts.exist()

    def viewer(self) -> Viewer:
        """Who asks at this moment. Outside of a request nobody does."""
        if has_request_context() and "viewer" in g:
            found: Viewer = g.viewer
            return found
        return NOBODY if self._asks() else EVERYTHING

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
        if not self._asks():
            host = urlsplit(f"//{request.host}").hostname or ""
            if not _is_loopback(request.remote_addr or "") or not _is_loopback(host):
                # The name too: a page elsewhere can make a browser ask this machine under a name of its own.
                return self._refused(403, "auth.no_users")
            g.viewer = EVERYTHING
            return None
        if request.method not in ("GET", "HEAD", "OPTIONS") and _comes_from_elsewhere():
            return self._refused(403, "auth.elsewhere")
        reader = self._reader()
        if reader is not None:
            g.viewer = reader
            self._keep_alive()
            return None
        g.viewer = NOBODY
        if request.path in (SIGN_IN, SIGN_OUT, *_OPEN) or (self.provider and request.path in (OPENID, OPENID_BACK)):
            return None
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            query = request.query_string.decode("utf-8", "replace")
            target = request.path + (f"?{query}" if query else "")
            return redirect(f"{SIGN_IN}?next={quote(target, safe='')}&lang={self._language()}")
        return self._refused(401, "auth.needed")

    def _reader(self) -> Viewer | None:
        """Who a session belongs to, if it has not ended."""
        if session.get("user") is None:
            return None
        now, reader = time.time(), None
        if now - LONGEST_SECONDS < session.get("since", 0) <= now and now - IDLE_SECONDS < session.get("seen", 0):
            reader = self._of_provider() if "openid" in session else self._of_account()
        if reader is None:
            session.clear()
        return reader

    def _of_account(self) -> Viewer | None:
        account = self.accounts.all().get(session["user"]) if self._local else None
        if account is None or not hmac.compare_digest(str(session.get("stamp")), _stamp(account)):
            return None
        return account.viewer

    def _of_provider(self) -> Viewer | None:
        if self.provider is None or not hmac.compare_digest(str(session["openid"]), self.provider.settings.stamp):
            return None
        units = session["units"]
        return Viewer(
            session["user"], session["role"], None if units is None else frozenset(units), bool(session["personal"])
        )

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
        if not self._asks() or (request.method == "GET" and self.viewer().user is not None):
            return redirect(target)
        if request.method == "GET":
            return self._sign_in_page(target)
        if not self._local:
            return self._sign_in_page(target, "auth.local_off", status=403)
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
            at_provider = "openid" in session
            session.clear()
            out = self._way_out() if at_provider else None
            answer = redirect(f"{SIGN_IN}?lang={t.language}") if out is None else self._out_page(out)
            answer.delete_cookie(_ID_TOKEN, path=SIGN_OUT)
            return answer
        form = (
            f'<p class="sign-text">{escape(t("auth.signed_in_as", user=user))}</p>'
            f'<form method="post" action="{SIGN_OUT}"><input type="hidden" name="csrf" value="{escape(self._token())}">'
            f'<button class="sign-button" type="submit">{escape(t("auth.sign_out"))}</button></form>'
            f'<p class="sign-text"><a href="/">{escape(t("auth.back"))}</a></p>'
        )
        return self._page(t("auth.sign_out"), form, SIGN_OUT)

    # Sign-in by the provider

    def _depart(self) -> AnyResponse:
        """Send the reader to the provider, and remember with what they have to come back."""
        assert self.provider is not None
        target = safe_next(request.args.get("next"))
        if len(target) > _LONGEST_NEXT:
            target = "/"
        try:
            way = self.provider.depart(self.provider.settings.redirect_base + OPENID_BACK)
        except ProviderDownError as error:
            return self._provider_down(target, error)
        now = time.time()
        ways = {state: kept for state, kept in session.get("ways", {}).items() if now - kept["at"] < _WAY_SECONDS}
        newest = sorted(ways.items(), key=lambda one: one[1]["at"])[-(_MOST_WAYS - 1) :]
        session["ways"] = {
            **dict(newest),
            way.state: {"nonce": way.nonce, "verifier": way.verifier, "next": target, "at": now},
        }
        return redirect(way.url)

    def _arrive(self) -> AnyResponse:
        """Let the reader in whom the provider sent back, if all of it holds and a rule gives a role."""
        assert self.provider is not None
        settings, address = self.provider.settings, request.remote_addr or ""
        ways = dict(session.get("ways", {}))
        way = ways.pop(request.args.get("state", ""), None)
        if way is None or not 0 <= time.time() - way["at"] < _WAY_SECONDS:
            return self._not_verified("/", "no such way was begun by this browser")
        # Once and no more: whatever comes now, this way is closed.
        session["ways"] = ways
        target = safe_next(way["next"])
        if request.args.get("iss", settings.issuer) != settings.issuer:
            return self._not_verified(target, "the answer is of another issuer")
        if "error" in request.args or not request.args.get("code"):
            return self._not_verified(target, f"the provider refused: {request.args.get('error', 'no code')[:40]!r}")
        try:
            arrival = self.provider.arrive(
                request.args["code"],
                settings.redirect_base + OPENID_BACK,
                nonce=way["nonce"],
                verifier=way["verifier"],
            )
        except ProviderDownError as error:
            return self._provider_down(target, error)
        except NotVerifiedError as error:
            return self._not_verified(target, str(error))
        reader, subject = settings.viewer(arrival.claims), str(arrival.claims["sub"])[:255]
        if reader is None:
            person = settings.person(arrival.claims)
            note(
                self._home, "sign-in refused: no role or unit", user=person, address=address, subject=subject,
                provider=settings.issuer,
            )  # fmt: skip
            return self._sign_in_page(target, "auth.no_role", status=403)
        # A new session: one that somebody had planted before is worth nothing now.
        session.clear()
        session.update(
            user=reader.user, openid=settings.stamp, role=reader.role, personal=reader.may_see_personal,
            units=None if reader.units is None else sorted(reader.units), since=time.time(), seen=time.time(),
        )  # fmt: skip
        note(self._home, "signed in", user=reader.user, address=address, subject=subject, provider=settings.issuer)
        answer = redirect(target)
        if len(arrival.id_token) <= _LARGEST_COOKIE:
            secure = self._cookies.get_cookie_secure(current_app)
            answer.set_cookie(
                _ID_TOKEN, arrival.id_token, max_age=LONGEST_SECONDS, path=SIGN_OUT, httponly=True, samesite="Lax", secure=secure
            )  # fmt: skip
        return answer

    def _provider_down(self, target: str, error: ProviderDownError) -> AnyResponse:
        note(self._home, "sign-in failed: provider", user=None, address=request.remote_addr, reason=str(error)[:200])
        return self._sign_in_page(target, "auth.provider_down", status=503)

    def _not_verified(self, target: str, reason: str) -> AnyResponse:
        note(self._home, "sign-in refused: not verified", user=None, address=request.remote_addr, reason=reason[:200])
        return self._sign_in_page(target, "auth.not_verified", status=401)

    def _way_out(self) -> str | None:
        assert self.provider is not None
        return self.provider.way_out(self.provider.settings.redirect_base + SIGN_IN, request.cookies.get(_ID_TOKEN))

    def _out_page(self, out: str) -> AnyResponse:
        """On to the provider's sign-out by a page of our own: the policy lets forms lead nowhere else."""
        t = translator(self._language())
        text = (
            f'<p class="sign-text">{escape(t("auth.signed_out_here"))}</p>'
            f'<p class="sign-text"><a href="{escape(out)}">{escape(t("auth.sign_out_there"))}</a></p>'
        )
        refresh = f'<meta http-equiv="refresh" content="0; url={escape(out)}">'
        return self._page(t("auth.sign_out"), text, SIGN_IN, head=refresh)

    # Drawing

    def _sign_in_page(self, target: str, problem: str | None = None, user: str = "", status: int = 200) -> AnyResponse:
        t = translator(self._language())
        said = f'<p class="sign-problem" id="problem" role="alert">{escape(t(problem))}</p>' if problem else ""
        address = f"{SIGN_IN}?next={quote(target, safe='')}"
        ways = []
        if self.provider is not None:
            name = self.provider.settings.label or t("auth.provider")
            there = f"{OPENID}?next={quote(target, safe='')}&lang={t.language}"
            ways.append(
                f'<p class="sign-provider"><a class="sign-button" href="{escape(there)}">{escape(t("auth.sign_in_with", name=name))}</a></p>'
            )
        if self._local and self.accounts.exist():
            ways.append(self._local_form(target, user, described=bool(problem)))
        between = f'<p class="sign-or">{escape(t("auth.or"))}</p>'
        return self._page(t("auth.sign_in"), said + between.join(ways), address, status)

    def _local_form(self, target: str, name: str, *, described: bool) -> str:
        t = translator(self._language())
        by = ' aria-describedby="problem"' if described else ""
        first, second = ("", " autofocus") if name else (" autofocus", "")
        return (
            f'<form method="post" action="{SIGN_IN}?lang={t.language}">'
            f'<input type="hidden" name="csrf" value="{escape(self._token())}"><input type="hidden" name="next" value="{escape(target)}">'
            f'<label for="name">{escape(t("auth.name"))}</label>'
            f'<input id="name" name="name" value="{escape(name[:64])}" autocomplete="username" autocapitalize="none" spellcheck="false" required{first}{by}>'
            f'<label for="password">{escape(t("auth.password"))}</label>'
            f'<input id="password" name="password" type="password" autocomplete="current-password" required{second}{by}>'
            f'<button class="sign-button" type="submit">{escape(t("auth.sign_in"))}</button></form>'
            f'<p class="sign-text">{escape(t("auth.forgotten"))}</p>'
        )

    def _page(self, title: str, content: str, address: str, status: int = 200, head: str = "") -> AnyResponse:
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
            f'<title>{escape(t("app.document_title", page=title))}</title><link rel="stylesheet" href="/assets/csatlas.css">{head}</head>'
            f'<body class="sign"><main class="sign-card"><div class="sign-head"><span class="brand-name">{escape(t("app.name"))}</span>'
            f'<nav class="languages" aria-label="{escape(t("app.language"))}">{switch}</nav></div>'
            f'<h1>{escape(title)}</h1><p class="sign-text">{escape(t("app.tagline"))}</p>{content}</main></body></html>',
            status,
        )
