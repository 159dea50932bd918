"""Talks to the OpenID provider: discovery, the way there, the code for a verified token, the way out.

Belongs here: the protocol (authorization code with PKCE), and every check of what the provider and the reader's browser bring.
Does not belong here: sessions and pages (auth), and what claims mean (openid_settings).

Nothing waits for ever: each wait for the provider is bounded, few requests may wait at a time, and a provider that was not there is not asked again for a moment.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from joserfc.errors import JoseError

from dashboards.openid_settings import OpenIdSettings

DISCOVERY = "/.well-known/openid-configuration"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What an id token may be signed with: by a key that only the provider has. Never nothing, never a shared secret."""
_KEY_TYPES = ("RSA", "EC", "OKP")
TIMEOUT = (3.05, 5.0)
"""Seconds to reach the provider, and to wait for a sign of life from it."""
WHOLE_SECONDS = 10.0
"""Seconds that a document may take altogether."""
_LARGEST = 1 << 20
_KNOWN_SECONDS = 3600.0
_DOWN_SECONDS = 10.0
_AT_A_TIME = 2
"""Requests of one server process that may wait for the provider at a time, so that others are answered meanwhile."""
_LEEWAY = 60
"""Seconds by which the provider's clock may differ."""
_DISCOVERED = (
    "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint",
)  # fmt: skip


class ProviderDownError(RuntimeError):
    """The provider does not answer, or not as its discovery document has to; the message is for the administrator."""


class NotVerifiedError(RuntimeError):
    """What came back does not prove who the reader is; the message says why, for the audit log."""


@dataclass(frozen=True)
class Departure:
    """A reader sent to the provider: where to, and what has to come back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Arrival:
    """A reader who is known: verified claims, and the id token as it came."""

    claims: Mapping[str, Any]
    id_token: str


class _Client(FlaskOAuth2App):  # type: ignore[misc]
    """authlib's client with keys that can only verify: a public one taken for a shared secret is the classic forgery."""

    def fetch_jwk_set(self, force: bool = False) -> Any:
        if force or "jwks" not in self.server_metadata:
            keys = _document(self.server_metadata["jwks_uri"]).get("keys")
            found = (
                [key for key in keys if isinstance(key, dict) and key.get("kty") in _KEY_TYPES]
                if isinstance(keys, list)
                else []
            )
            usable = [
                key for key in found if key.get("use", "sig") == "sig" and key.get("alg", ALGORITHMS[0]) in ALGORITHMS
            ]
            if not usable:
                raise ProviderDownError("the provider publishes no key that can verify a signature")
            self.server_metadata["jwks"] = {"keys": usable}
        return self.server_metadata["jwks"]


def _document(url: str) -> dict[str, Any]:
    """A JSON object at an address, read within bounds of time and size.

    Raises:
        ProviderDownError: there is none.
    """
    deadline, body = time.monotonic() + WHOLE_SECONDS, b""
    try:
        with requests.get(
            url, timeout=TIMEOUT, allow_redirects=False, stream=True, headers={"Accept": "application/json"}
        ) as answer:
            if answer.status_code != 200:
                raise ProviderDownError(f"{url} answers {answer.status_code}")
            for part in answer.iter_content(1 << 14):
                body += part
                if len(body) > _LARGEST or time.monotonic() > deadline:
                    raise ProviderDownError(f"{url} answers too much or too slowly")
            found = json.loads(body)
    except (requests.RequestException, ValueError) as error:
        raise ProviderDownError(f"{url}: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise ProviderDownError(f"{url} is no JSON object")
    return found


class Provider:
    """The provider of a server."""

    def __init__(self, settings: OpenIdSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(_AT_A_TIME)
        self._known: tuple[float, _Client] | None = None
        self._down: tuple[float, str] | None = None

    @contextmanager
    def _talking(self) -> Iterator[None]:
        if not self._waiting.acquire(timeout=1.0):
            raise ProviderDownError("others are waiting for the provider already")
        try:
            yield
        finally:
            self._waiting.release()

    def _client(self) -> _Client:
        """The client with what the provider says of itself, asked anew every hour."""
        now = time.monotonic()
        with self._lock:
            if self._known is not None and now - self._known[0] < _KNOWN_SECONDS:
                return self._known[1]
            if self._down is not None and now - self._down[0] < _DOWN_SECONDS:
                raise ProviderDownError(self._down[1])
        try:
            client = self._discovered()
        except ProviderDownError as error:
            with self._lock:
                self._down = (time.monotonic(), str(error))
            raise
        with self._lock:
            self._known, self._down = (time.monotonic(), client), None
        return client

    def _discovered(self) -> _Client:
        settings = self.settings
        said = _document(settings.issuer.rstrip("/") + DISCOVERY)
        if said.get("issuer") != settings.issuer:
            raise ProviderDownError(f"the provider calls itself {said.get('issuer')!r}, not {settings.issuer!r}")
        metadata: dict[str, Any] = {}
        for name in _DISCOVERED:
            value = said.get(name)
            if value is None and name in ("userinfo_endpoint", "end_session_endpoint"):
                continue
            schemes = ("https",) if settings.needs_encryption else ("https", "http")
            if not isinstance(value, str) or urlsplit(value).scheme not in schemes:
                raise ProviderDownError(f"the provider's {name} is {value!r}, no {schemes[0]} address")
            metadata[name] = value
        offered = said.get("id_token_signing_alg_values_supported", ["RS256"])
        metadata["id_token_signing_alg_values_supported"] = [name for name in ALGORITHMS if name in offered]
        if not metadata["id_token_signing_alg_values_supported"]:
            raise ProviderDownError(f"the provider signs with {offered!r} only")
        ways = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = "client_secret_basic" in ways or "client_secret_post" not in ways
        return _Client(
            FlaskIntegration("openid"),
            name="openid",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            client_kwargs={
                "scope": settings.scopes,
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT,
                "token_endpoint_auth_method": "client_secret_basic" if basic else "client_secret_post",
            },
            **metadata,
        )

    def depart(self, redirect_uri: str) -> Departure:
        """Where to send a reader.

        Raises:
            ProviderDownError: the provider is not there.
        """
        with self._talking():
            way = self._client().create_authorization_url(redirect_uri)
        return Departure(way["url"], way["state"], way["nonce"], way["code_verifier"])

    def arrive(self, code: str, redirect_uri: str, *, nonce: str, verifier: str) -> Arrival:
        """Exchange a code for the claims of its reader.

        The id token has to be signed by a published key with one of `ALGORITHMS`, from our issuer, for us, in time, and for this very departure. A role or a
        unit that is not in it is looked up at the provider's userinfo, which has to speak of the same subject.

        Raises:
            ProviderDownError: the provider is not there.
            NotVerifiedError: any of it does not hold.
        """
        with self._talking():
            client = self._client()
            try:
                token = client.fetch_access_token(
                    redirect_uri,
                    code=code,
                    code_verifier=verifier,
                    grant_type="authorization_code",
                    allow_redirects=False,
                )
                if not isinstance(token.get("id_token"), str) or not isinstance(token.get("access_token"), str):
                    raise NotVerifiedError("the provider gave no id token")
                options = {
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": self.settings.client_id},
                    "sub": {"essential": True},
                    "exp": {"essential": True},
                    "iat": {"essential": True},
                    "nonce": {"essential": True, "value": nonce},
                }
                claims = dict(client.parse_id_token(token, nonce, claims_options=options, leeway=_LEEWAY))
                if not isinstance(claims["sub"], str) or not claims["sub"]:
                    raise NotVerifiedError("the id token has no subject")
                return Arrival(self._completed(client, token, claims), token["id_token"])
            except requests.RequestException as error:
                raise ProviderDownError(f"the provider: {type(error).__name__}") from None
            except AuthlibBaseError as error:
                raise NotVerifiedError(f"the provider refused the code: {str(error.error)[:40]}") from None
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise NotVerifiedError(f"the id token: {str(error)[:120]}") from None

    def _completed(self, client: _Client, token: Any, claims: dict[str, Any]) -> dict[str, Any]:
        wanted = [
            path for path in (self.settings.role_claim, self.settings.unit_claim, self.settings.name_claim) if path
        ]
        if (
            all(path in claims or path.split(".")[0] in claims for path in wanted)
            or "userinfo_endpoint" not in client.server_metadata
        ):
            return claims
        more = client.userinfo(token=token, allow_redirects=False)
        if not isinstance(more.get("sub"), str) or not hmac.compare_digest(
            more["sub"].encode(), claims["sub"].encode()
        ):
            raise NotVerifiedError("the provider's userinfo speaks of somebody else")
        return {**more, **claims}

    def way_out(self, back: str, id_token: str | None) -> str | None:
        """Where a reader signs out of the provider too, if it offers that and is there.

        Args:
            back: where the provider sends the reader afterwards.
        """
        try:
            with self._talking():
                client = self._client()
        except ProviderDownError:
            return None
        if "end_session_endpoint" not in client.server_metadata:
            return None
        way = client.create_logout_url(back, id_token_hint=id_token, client_id=self.settings.client_id)
        return str(way["url"])
