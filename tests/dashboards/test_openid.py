"""Signing in by OpenID Connect, against a real provider on this machine: who gets in and with which rights, and every forgery that must not."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey

from dashboards import auth, openid
from dashboards.accounts import Accounts
from dashboards.app import create_app
from dashboards.data.rights import Viewer
from dashboards.openid_settings import OpenIdSettingsError, SignInSettings, sign_in_settings
from orchestration import cli
from tests.conftest import csatlas
from tests.dashboards.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider, signed_with_text, unsigned
from tests.dashboards.rights import CITY
from tests.dashboards.test_auth import HTML, PASSWORD, _bodies, quick, sign_in, token, written

__all__ = ["quick"]  # passwords that are hashed with little work, here too
BASE, HOST = "https://csatlas.example", "csatlas.example"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


def environment(issuer: str, **more: str) -> dict[str, str]:
    return {
        "CSATLAS_OIDC_ISSUER": issuer,
        "CSATLAS_OIDC_CLIENT_ID": CLIENT_ID,
        "CSATLAS_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "CSATLAS_OIDC_REDIRECT_BASE": BASE,
        "CSATLAS_OIDC_ROLES": "csatlas-chief=executive, csatlas-analyst=analyst, csatlas-trainee=analyst:masked",
        "CSATLAS_OIDC_UNIT_CLAIM": "unit",
        "CSATLAS_OIDC_UNITS": f"gz={CITY}, hq=*, two=C-GD-GZ|C-SC-CD",
        **more,
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "serving").mkdir(parents=True)
    return tmp_path / "home"


def a_client(home: Path, settings: SignInSettings) -> FlaskClient:
    client: FlaskClient = create_app(home / "serving", sign_in=settings).server.test_client()
    client.get("/", environ_overrides={auth.WARM_UP: True})
    return client


@pytest.fixture
def client(home: Path, provider: Provider) -> FlaskClient:
    return a_client(home, sign_in_settings(environment(provider.issuer)))


def there(client: FlaskClient, target: str = "/") -> str:
    """Begin a sign-in, pass the provider as its person, and give the address that the browser is sent back to, without its host."""
    begun = client.get("/sign-in/openid", query_string={"next": target}, base_url=BASE)
    assert begun.status_code == 302, begun.get_data(as_text=True)
    passed = requests.get(begun.location, allow_redirects=False, timeout=5)
    assert passed.headers["Location"].startswith(f"{BASE}/sign-in/openid/back?")
    return passed.headers["Location"].removeprefix(BASE)


def arrive(client: FlaskClient, target: str = "/") -> Any:
    return client.get(there(client, target), base_url=BASE)


def is_in(client: FlaskClient) -> bool:
    return client.get("/_dash-layout", base_url=BASE).status_code == 200


def reader(client: FlaskClient) -> dict[str, Any]:
    with client.session_transaction(base_url=BASE) as session:
        return {name: session.get(name) for name in ("user", "role", "units", "personal")}


def last(home: Path) -> dict[str, Any]:
    return written(home)[-1]


# Who gets in


def test_a_reader_signs_in_and_out(client: FlaskClient, provider: Provider, home: Path) -> None:
    assert client.get("/satisfaction?lang=zh", headers=HTML).location.startswith("/sign-in?next=%2Fsatisfaction"), (
        "a provider closes the server without a single local user"
    )
    page = client.get("/sign-in?next=/satisfaction&lang=en").get_data(as_text=True)
    assert (
        'href="/sign-in/openid?next=%2Fsatisfaction&amp;lang=en"' in page
        and "password" not in page
        and "<script" not in page
    )
    answer = arrive(client, "/satisfaction?unit=C-GD-GZ")
    assert (answer.status_code, answer.location) == (302, "/satisfaction?unit=C-GD-GZ")
    cookies = {cookie.split("=")[0]: cookie for cookie in answer.headers.getlist("Set-Cookie")}
    assert all("HttpOnly" in one and "SameSite=Lax" in one and "Secure" in one for one in cookies.values())
    assert "Path=/sign-out" in cookies["csatlas_id_token"]
    assert is_in(client)
    assert reader(client) == {"user": "oidc:mei", "role": "analyst", "units": [CITY], "personal": True}
    page = client.get("/sign-out", base_url=BASE).get_data(as_text=True)
    out = client.post("/sign-out", data={"csrf": token(page)}, base_url=BASE)
    refresh = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', out.get_data(as_text=True))
    assert refresh is not None and not is_in(client)
    way = urlsplit(unescape(refresh[1]))
    asked = parse_qs(way.query)
    assert f"{way.scheme}://{way.netloc}{way.path}" == f"{provider.issuer}/sign-out"
    assert asked["post_logout_redirect_uri"] == [f"{BASE}/sign-in"] and asked["client_id"] == [CLIENT_ID]
    assert asked["id_token_hint"][0].count(".") == 2
    assert "form-action 'self'" in out.headers["Content-Security-Policy"]
    facts = [(one["event"], one["user"], one.get("subject"), one.get("provider")) for one in written(home)]
    assert facts == [("signed in", "oidc:mei", "s-1", provider.issuer), ("signed out", "oidc:mei", None, None)]
    assert CLIENT_SECRET not in (home / "audit.jsonl").read_text(encoding="utf-8")


def test_a_provider_without_sign_out_leaves_it_at_ours(client: FlaskClient, provider: Provider) -> None:
    provider.discovery = {"end_session_endpoint": None}
    arrive(client)
    page = client.get("/sign-out", base_url=BASE).get_data(as_text=True)
    assert client.post("/sign-out", data={"csrf": token(page)}, base_url=BASE).location.startswith("/sign-in")
    assert not is_in(client)


def test_the_session_is_new(client: FlaskClient) -> None:
    with client.session_transaction(base_url=BASE) as session:
        session.update(planted="by somebody", csrf="known to somebody")
    arrive(client)
    with client.session_transaction(base_url=BASE) as session:
        assert "planted" not in session and "csrf" not in session and "ways" not in session


def test_sessions_end_as_local_ones_do(
    client: FlaskClient, home: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(client)
    cookie = client.get_cookie("csatlas_session", domain=HOST)
    assert cookie is not None
    other = a_client(
        home, sign_in_settings(environment(provider.issuer, CSATLAS_OIDC_ROLES="csatlas-analyst=scheduler"))
    )
    other.set_cookie("csatlas_session", cookie.value, domain=HOST)
    assert other.get("/_dash-layout", base_url=BASE).status_code == 401, "other rules end a session"
    without = a_client(home, SignInSettings())
    Accounts(home).add("mei", PASSWORD, role="admin", units=None, personal=True)
    without.set_cookie("csatlas_session", cookie.value, domain=HOST)
    assert without.get("/_dash-layout", base_url=BASE).status_code == 401, "and so does a server without the provider"
    now = time.time()
    monkeypatch.setattr(auth.time, "time", lambda: now + auth.IDLE_SECONDS + 1)
    assert not is_in(client)


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"roles": ["csatlas-trainee", "x"]}, {"role": "analyst", "units": [CITY], "personal": False}),
        ({"roles": ["csatlas-analyst", "csatlas-chief"]}, {"role": "executive", "units": [CITY], "personal": False}),
        ({"roles": "csatlas-chief", "unit": ["gz", "hq"]}, {"role": "executive", "units": None, "personal": False}),
        ({"unit": ["two", "gz"]}, {"role": "analyst", "units": ["C-GD-GZ", "C-SC-CD"], "personal": True}),
        ({"roles": ["admin"]}, None),
        ({"roles": []}, None),
        ({"roles": None}, None),
        ({"roles": {"csatlas-analyst": True}}, None),
        ({"unit": "xy"}, None),
        ({"unit": None}, None),
        ({"unit": CITY}, None),
    ],
)
def test_a_role_and_a_unit_have_to_be_named(
    client: FlaskClient, provider: Provider, home: Path, person: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    provider.person |= person
    answer = arrive(client)
    if expected is not None:
        assert answer.status_code == 302 and reader(client) == {"user": "oidc:mei", **expected}
        return
    assert answer.status_code == 403 and not is_in(client)
    assert "no role and unit" in answer.get_data(as_text=True)
    assert last(home)["event"] == "sign-in refused: no role or unit" and last(home)["subject"] == "s-1"


def test_claims_that_only_the_userinfo_tells(client: FlaskClient, provider: Provider, home: Path) -> None:
    provider.in_userinfo = {"roles", "unit"}
    arrive(client)
    assert reader(client)["units"] == [CITY]
    client.delete_cookie("csatlas_session", domain=HOST)
    provider.userinfo = {"sub": "somebody else"}
    assert arrive(client).status_code == 401 and "somebody else" in last(home)["reason"]


def test_a_reader_of_a_unit_sees_its_rows_alone(demo_home: Path, home: Path, provider: Provider) -> None:
    (home / "serving").rmdir()
    (home / "serving").symlink_to(demo_home / "serving")
    Accounts(home).add("li", PASSWORD, role="analyst", units=(CITY,), personal=True)
    app = create_app(home / "serving", sign_in=sign_in_settings(environment(provider.issuer)))
    theirs, locals_, chiefs = (app.server.test_client() for _ in range(3))
    arrive(theirs)
    sign_in(locals_, "li")
    provider.person |= {"unit": "hq"}
    arrive(chiefs)
    bodies = dict(_bodies(app, ["/explore?metric=tickets_created&by=org_unit_id&grain=none"]))
    (body,) = (body for name, body in bodies.items() if name.startswith("..page-content.children"))
    whose = [
        client.post("/_dash-update-component", json=body, base_url=base).get_data(as_text=True)
        for client, base in ((theirs, BASE), (locals_, "http://localhost"), (chiefs, BASE))
    ]
    assert whose[0] == whose[1] != whose[2]
    assert "Guangzhou branch" in whose[0] and "Chengdu branch" in whose[2] and "Chengdu branch" not in whose[0]
    assert not re.search(r'"(?:C|P|T)-(?!GD-GZ)[A-Z]{2}\b[^"]*"', whose[0])


# Who does not


def wrong_nonce(header: dict[str, Any], claims: dict[str, Any]) -> None:
    claims["nonce"] = "x" * 20


def no_nonce(header: dict[str, Any], claims: dict[str, Any]) -> None:
    del claims["nonce"]


def foreign_audience(header: dict[str, Any], claims: dict[str, Any]) -> None:
    claims["aud"] = "another client"


def lent_audience(header: dict[str, Any], claims: dict[str, Any]) -> None:
    claims |= {"aud": ["another client"], "azp": CLIENT_ID}


def shared_audience(header: dict[str, Any], claims: dict[str, Any]) -> None:
    claims |= {"aud": [CLIENT_ID, "another client"], "azp": "another client"}


def no_audience(header: dict[str, Any], claims: dict[str, Any]) -> None:
    del claims["aud"]


def foreign_issuer(header: dict[str, Any], claims: dict[str, Any]) -> None:
    claims["iss"] = "https://elsewhere.example"


def expired(header: dict[str, Any], claims: dict[str, Any]) -> None:
    claims |= {"iat": int(time.time()) - 900, "exp": int(time.time()) - 600}


def endless(header: dict[str, Any], claims: dict[str, Any]) -> None:
    del claims["exp"]


def of_tomorrow(header: dict[str, Any], claims: dict[str, Any]) -> None:
    claims["iat"] = int(time.time()) + 3600


def nobody(header: dict[str, Any], claims: dict[str, Any]) -> None:
    del claims["sub"]


def other_token(header: dict[str, Any], claims: dict[str, Any]) -> None:
    claims["at_hash"] = "bm90IG9mIHRoaXMgdG9rZW4"


@pytest.mark.parametrize(
    "twist",
    [
        wrong_nonce, no_nonce, foreign_audience, lent_audience, shared_audience, no_audience, foreign_issuer, expired, endless,
        of_tomorrow, nobody, other_token,
    ],
)  # fmt: skip
def test_a_token_that_does_not_hold_is_refused(client: FlaskClient, provider: Provider, home: Path, twist: Any) -> None:
    provider.twist = twist
    answer = arrive(client)
    assert answer.status_code == 401 and "could not be verified" in answer.get_data(as_text=True)
    assert not is_in(client)
    assert last(home)["event"] == "sign-in refused: not verified" and "id token" in last(home)["reason"]
    provider.twist = lambda header, claims: None
    assert arrive(client).status_code == 302, "the same server lets a good one in"


def test_a_forged_signature_is_refused(client: FlaskClient, provider: Provider) -> None:
    good, sign = provider.key, provider.signed
    provider.key = RSAKey.generate_key(2048, {"kid": "first"})
    assert arrive(client).status_code == 401, "another key under a known name"
    provider.key = RSAKey.generate_key(2048, {"kid": "unknown"})
    assert arrive(client).status_code == 401, "a key that is not published"
    provider.key = good
    provider.signed = unsigned
    assert arrive(client).status_code == 401, "no signature, though the provider claims to offer that"
    public = [good.as_pem(private=False), json.dumps(good.as_dict(private=False)).encode(), CLIENT_SECRET.encode()]
    for secret in public:
        provider.signed = signed_with_text(secret)
        assert arrive(client).status_code == 401, "a shared secret, though the provider claims to offer that"
    provider.published = [
        *provider.published,
        {"kty": "oct", "kid": "first", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ"},
    ]
    provider.signed = signed_with_text(b"secret secret secret secret!")
    assert arrive(client).status_code == 401, "not even one that it publishes"
    provider.signed = lambda header, claims: sign(header, claims)[:-6] + "AAAAAA"
    assert arrive(client).status_code == 401
    provider.signed = lambda header, claims: "nonsense"
    assert arrive(client).status_code == 401
    assert not is_in(client)


def test_keys_are_changed_without_a_restart(client: FlaskClient, provider: Provider) -> None:
    assert arrive(client).status_code == 302
    provider.key = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
    provider.published = [provider.key.as_dict(private=False)]
    client.delete_cookie("csatlas_session", domain=HOST)
    assert arrive(client).status_code == 302 and is_in(client)


def test_a_way_that_this_browser_did_not_begin_is_refused(client: FlaskClient, home: Path, provider: Provider) -> None:
    back = there(client)
    assert client.get(re.sub("state=[^&]+", "state=guessed", back), base_url=BASE).status_code == 401
    assert client.get(re.sub("state=[^&]+", "", back), base_url=BASE).status_code == 401
    stranger = a_client(home, sign_in_settings(environment(provider.issuer)))
    assert stranger.get(back, base_url=BASE).status_code == 401, "a link with somebody's code signs nobody else in"
    assert last(home)["reason"] == "no such way was begun by this browser"
    assert "/token" not in provider.asked, "the provider was not even asked"
    assert client.get(back, base_url=BASE).status_code == 302
    client.delete_cookie("csatlas_session", domain=HOST)
    mixed = re.sub("iss=[^&]+", "iss=https://other.example", there(client))
    assert client.get(mixed, base_url=BASE).status_code == 401 and "another issuer" in last(home)["reason"]


def test_a_code_is_good_once(client: FlaskClient, home: Path) -> None:
    back = there(client)
    kept = client.get_cookie("csatlas_session", domain=HOST)
    assert kept is not None and client.get(back, base_url=BASE).status_code == 302
    client.delete_cookie("csatlas_session", domain=HOST)
    assert client.get(back, base_url=BASE).status_code == 401
    client.set_cookie("csatlas_session", kept.value, domain=HOST)
    assert client.get(back, base_url=BASE).status_code == 401, "nor with the cookie of before"
    assert "invalid_grant" in last(home)["reason"] and not is_in(client)


def test_a_code_of_another_way_is_refused(client: FlaskClient, home: Path) -> None:
    first, second = there(client), there(client)
    code = parse_qs(urlsplit(first).query)["code"][0]
    assert client.get(re.sub("code=[^&]+", f"code={code}", second), base_url=BASE).status_code == 401
    assert "invalid_grant" in last(home)["reason"], "the verifier of another way opens nothing"


def test_a_way_closes_after_a_while(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    back, now = there(client), time.time()
    monkeypatch.setattr(auth.time, "time", lambda: now + auth._WAY_SECONDS + 1)
    assert client.get(back, base_url=BASE).status_code == 401


def test_many_ways_begun_still_fit_into_the_cookie(client: FlaskClient) -> None:
    for _ in range(5):
        back = there(client, "/explore?" + "x" * 900)
    cookie = client.get_cookie("csatlas_session", domain=HOST)
    assert cookie is not None and len(cookie.value) < 3800
    assert client.get(back, base_url=BASE).status_code == 302


def test_what_the_provider_refuses_is_said_in_our_words(client: FlaskClient, home: Path) -> None:
    state = parse_qs(urlsplit(there(client)).query)["state"][0]
    evil = {"state": state, "error": "<script>alert(1)</script>", "error_description": "<b>you won</b>"}
    page = client.get("/sign-in/openid/back", query_string=evil, base_url=BASE)
    assert (
        page.status_code == 401
        and "<script" not in page.get_data(as_text=True)
        and "you won" not in page.get_data(as_text=True)
    )
    assert "refused" in last(home)["reason"]


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/sign-out", "/a\r\nX: y"]
)
def test_the_way_on_stays_on_this_server(client: FlaskClient, target: str) -> None:
    assert arrive(client, target).location == "/"


# The provider is away or wrong


def test_a_provider_that_is_away_is_told_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Provider() as gone:
        settings = sign_in_settings(environment(gone.issuer))
    client = a_client(home, settings)
    answers = [client.get("/sign-in/openid", base_url=BASE) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {503}
    assert "does not answer" in answers[0].get_data(as_text=True)
    assert last(home)["event"] == "sign-in failed: provider"
    assert client.get("/sign-in").status_code == 200, "the page itself is there"


def test_a_provider_that_hangs_hangs_nobody(
    client: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.delay = 1.0
    monkeypatch.setattr(openid, "TIMEOUT", (0.2, 0.2))
    begun = time.monotonic()
    assert client.get("/sign-in/openid", base_url=BASE).status_code == 503
    count = len(provider.asked)
    assert client.get("/sign-in/openid", base_url=BASE).status_code == 503
    assert len(provider.asked) == count, "it is left alone for a moment"
    assert time.monotonic() - begun < 1.0


def test_a_provider_that_hangs_at_the_code(home: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openid, "TIMEOUT", (0.2, 0.2))
    client = a_client(home, sign_in_settings(environment(provider.issuer)))
    back = there(client)
    provider.delay = 0.6
    assert client.get(back, base_url=BASE).status_code == 503 and not is_in(client)


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://elsewhere.example"},
        {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "file:///etc/passwd"},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
    ],
)
def test_a_provider_that_says_nonsense_is_none(
    client: FlaskClient, provider: Provider, discovery: dict[str, Any]
) -> None:
    provider.discovery = discovery
    assert client.get("/sign-in/openid", base_url=BASE).status_code == 503


# Beside local accounts, and settings


def test_local_accounts_beside_the_provider_and_switched_off(home: Path, provider: Provider) -> None:
    Accounts(home).add("mei", PASSWORD, role="admin", units=None, personal=True)
    both = a_client(home, sign_in_settings(environment(provider.issuer)))
    page = both.get("/sign-in").get_data(as_text=True)
    assert "/sign-in/openid" in page and 'name="password"' in page
    assert sign_in(both).status_code == 302
    local = both.get_cookie("csatlas_session")
    assert local is not None
    only = a_client(home, sign_in_settings(environment(provider.issuer, CSATLAS_LOCAL_SIGN_IN="no")))
    assert 'name="password"' not in only.get("/sign-in").get_data(as_text=True)
    only.set_cookie("csatlas_session", local.value, domain=HOST)
    assert only.get("/_dash-layout", base_url=BASE).status_code == 401, "a session of a local account is none any more"
    assert only.post("/sign-in", data={"name": "mei", "password": PASSWORD}).status_code == 403
    assert arrive(only).status_code == 302


def test_proxies_are_believed_only_when_they_are_named(home: Path, provider: Provider) -> None:
    told = {"X-Forwarded-For": "6.6.6.6, 10.9.8.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "csatlas.example"}
    for count, address in (("0", "127.0.0.1"), ("1", "10.9.8.7")):
        client = a_client(home, sign_in_settings(environment(provider.issuer, CSATLAS_TRUSTED_PROXIES=count)))
        client.get("/sign-in/openid/back", headers=told)
        assert last(home)["address"] == address


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"CSATLAS_OIDC_CLIENT_SECRET": ""}, "CLIENT_SECRET is missing"),
        ({"CSATLAS_OIDC_ISSUER": "http://login.example"}, "https"),
        ({"CSATLAS_OIDC_ISSUER": "https://me@login.example"}, "https"),
        ({"CSATLAS_OIDC_REDIRECT_BASE": "https://csatlas.example/path"}, "path"),
        ({"CSATLAS_OIDC_SCOPES": "profile"}, "openid"),
        ({"CSATLAS_OIDC_ROLES": "x=king"}, "no role"),
        ({"CSATLAS_OIDC_ROLES": "x=admin:naked"}, "no role"),
        ({"CSATLAS_OIDC_ROLES": "x"}, "no pair"),
        ({"CSATLAS_OIDC_ROLES": ","}, "nobody could sign in"),
        ({"CSATLAS_OIDC_UNITS": ""}, "UNITS is missing"),
        ({"CSATLAS_OIDC_UNITS": "*"}, "do not fit"),
        ({"CSATLAS_OIDC_UNITS": "x=*|C-GD-GZ"}, "alone"),
        ({"CSATLAS_OIDC_UNIT_CLAIM": ""}, "do not fit"),
        ({"CSATLAS_LOCAL_SIGN_IN": "maybe"}, "neither yes nor no"),
        ({"CSATLAS_TRUSTED_PROXIES": "all"}, "no number"),
    ],
)
def test_settings_that_cannot_be_used_are_named(given: dict[str, str], said: str) -> None:
    with pytest.raises(OpenIdSettingsError, match=re.escape(said)):
        sign_in_settings(environment("https://login.example", **given))


def test_settings_that_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sign_in_settings({}) == SignInSettings(local=True, openid=None, proxies=0)
    with pytest.raises(OpenIdSettingsError, match="no way to sign in"):
        sign_in_settings({"CSATLAS_LOCAL_SIGN_IN": "no"})
    given = environment(
        "https://login.example/realms/a", CSATLAS_OIDC_ROLE_CLAIM="realm_access.roles", CSATLAS_OIDC_ROLES="cn=ops,dc=x=admin",
        CSATLAS_OIDC_UNIT_CLAIM="", CSATLAS_OIDC_UNITS="*",
    )  # fmt: skip
    with pytest.raises(OpenIdSettingsError, match="'ops' is no role"):
        sign_in_settings(given)
    settings = sign_in_settings(given | {"CSATLAS_OIDC_ROLES": "/ops=admin"}).openid
    assert settings is not None and CLIENT_SECRET not in repr(settings)
    claims = {"sub": "1", "realm_access": {"roles": ["/ops"]}, "preferred_username": "a\nb\u202e"}
    assert settings.viewer(claims) == Viewer("oidc:ab", "admin", None, True)
    assert settings.viewer({"sub": "1", "realm_access": ["/ops"]}) is None
    for name, value in environment("https://login.example", CSATLAS_OIDC_ROLES="x=king").items():
        monkeypatch.setenv(name, value)
    refused = csatlas(tmp_path, "serve")
    assert refused.returncode == cli.EXIT_USAGE and "CSATLAS_OIDC_ROLES" in refused.stdout + refused.stderr
