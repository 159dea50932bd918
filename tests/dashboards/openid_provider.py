"""A small OpenID provider on this machine: discovery, keys, authorization code with PKCE, token, userinfo and sign-out, with signatures that are real.

A test changes what it says by `Provider.twist`, and its keys by `Provider.key` and `Provider.published`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "csatlas", "the secret of the client"

Twist = Callable[[dict[str, Any], dict[str, Any]], None]
"""Changes the header and the claims of an id token before it is signed."""


class Provider:
    """One provider, served while it is entered (`with`).

    Attributes:
        person: claims of whoever signs in next.
        key: what id tokens are signed with; `published` is what the key document shows.
        signed: signs (header, claims); replaced by tests that forge.
        in_userinfo: names of claims that only the userinfo tells.
        asked: paths that were asked for.
    """

    def __init__(self) -> None:
        self.key: Any = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
        self.published = [self.key.as_dict(private=False)]
        self.person: dict[str, Any] = {
            "sub": "s-1",
            "preferred_username": "mei",
            "roles": ["csatlas-analyst"],
            "unit": "gz",
        }
        self.twist: Twist = lambda header, claims: None
        self.signed: Callable[[dict[str, Any], dict[str, Any]], str] = lambda header, claims: jwt.encode(
            header, claims, self.key
        )
        self.in_userinfo: set[str] = set()
        self.userinfo: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.asked: list[str] = []
        self.delay = 0.0
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, dict[str, Any]] = {}
        self._server = make_server("127.0.0.1", 0, self._application(), threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Provider:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _application(self) -> Flask:
        app = Flask("provider")

        @app.before_request
        def remember() -> None:
            self.asked.append(request.path)
            time.sleep(self.delay)

        @app.get("/.well-known/openid-configuration")
        def discovery() -> Response:
            paths = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "sign-out"}
            return jsonify(
                {
                    "issuer": self.issuer,
                    **{f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in paths.items()},
                    "jwks_uri": f"{self.issuer}/keys",
                    "id_token_signing_alg_values_supported": ["none", "HS256", "RS256", "ES256"],
                    # Settings of a client that no provider may set.
                    "verify": False,
                    "proxies": {"http": "http://127.0.0.1:1"},
                    **self.discovery,
                }
            )

        @app.get("/keys")
        def keys() -> Response:
            return jsonify({"keys": self.published})

        @app.get("/authorize")
        def authorize() -> Any:
            asked = request.args
            assert (
                asked["client_id"] == CLIENT_ID
                and asked["response_type"] == "code"
                and "openid" in asked["scope"].split()
            )
            assert asked["code_challenge_method"] == "S256" and len(asked["nonce"]) >= 20 and len(asked["state"]) >= 20
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked.to_dict()
            return redirect(
                f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"
            )

        @app.post("/token")
        def token() -> Any:
            assert request.authorization is not None
            if (request.authorization.username, request.authorization.password) != (CLIENT_ID, CLIENT_SECRET):
                return jsonify({"error": "invalid_client"}), 401
            # A code is good once.
            begun = self._codes.pop(request.form["code"], None)
            digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if (
                begun is None
                or begun["code_challenge"] != challenge
                or begun["redirect_uri"] != request.form["redirect_uri"]
            ):
                return jsonify({"error": "invalid_grant"}), 400
            now, access = int(time.time()), secrets.token_urlsafe(16)
            told = {name: value for name, value in self.person.items() if name not in self.in_userinfo}
            claims = {
                "iss": self.issuer,
                "aud": CLIENT_ID,
                "iat": now,
                "exp": now + 300,
                "nonce": begun["nonce"],
                **told,
            }
            header: dict[str, Any] = {"alg": "RS256", "kid": self.key.kid}
            self.twist(header, claims)
            self._tokens[access] = {**self.person, **self.userinfo}
            return jsonify(
                {
                    "access_token": access,
                    "token_type": "Bearer",
                    "expires_in": 300,
                    "id_token": self.signed(header, claims),
                }
            )

        @app.get("/sign-out")
        def sign_out() -> Any:
            assert request.args["client_id"] == CLIENT_ID
            return redirect(request.args["post_logout_redirect_uri"])

        @app.get("/userinfo")
        def userinfo() -> Response:
            return jsonify(self._tokens[request.headers["Authorization"].removeprefix("Bearer ")])

        return app


def _part(content: bytes | dict[str, Any]) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token with `alg: none`."""
    return f"{_part({**header, 'alg': 'none'})}.{_part(claims)}."


def signed_with_text(secret: bytes) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    """Signs with HS256 and a text that the other side knows: its secret, or the public key taken for one. Libraries refuse to, so it is done by hand."""

    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        signed = f"{_part({**header, 'alg': 'HS256'})}.{_part(claims)}"
        return f"{signed}.{_part(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return sign
