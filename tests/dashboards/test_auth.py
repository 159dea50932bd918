"""Sign-in: who gets in, who is kept out and for how long, what is written down, and that a limited reader's pages and callbacks tell of no foreign row."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dash
import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient

from dashboards import accounts as module
from dashboards import auth
from dashboards.accounts import AccountError, Accounts
from dashboards.app import create_app
from dashboards.pages import PAGES
from dashboards.wsgi import make_server
from orchestration import cli
from tests.conftest import csatlas
from tests.dashboards.rights import CITY, reduced

PASSWORD = "a long enough one"
HTML = {"Accept": "text/html"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that are hashed with little work; the kind of the hash stays."""
    monkeypatch.setattr(module, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "serving").mkdir(parents=True)
    Accounts(home).add("mei", PASSWORD, role="analyst", units=("C-GD-GZ",), personal=True)
    return home


@pytest.fixture
def client(home: Path) -> FlaskClient:
    return make_server(str(home / "serving")).test_client()


def token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def sign_in(client: FlaskClient, name: str = "mei", password: str = PASSWORD, target: str = "/", **more: Any) -> Any:
    page = client.get("/sign-in", query_string={"next": target}).get_data(as_text=True)
    return client.post(
        "/sign-in", data={"csrf": token(page), "name": name, "password": password, "next": target}, **more
    )


def written(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "audit.jsonl").read_text(encoding="utf-8").splitlines()]


def test_nothing_but_the_sign_in_is_answered_before_it(client: FlaskClient) -> None:
    answer = client.get("/satisfaction?unit=C-GD-GZ&lang=zh", headers=HTML)
    assert answer.status_code == 302
    assert answer.location == "/sign-in?next=%2Fsatisfaction%3Funit%3DC-GD-GZ%26lang%3Dzh&lang=zh"
    for path in ("/_dash-layout", "/_dash-dependencies", "/assets/csatlas.js", "/nowhere"):
        assert client.get(path).status_code == 401, path
    assert client.post("/_dash-update-component", json={"output": "page-content.children"}).status_code == 401
    assert client.get("/assets/csatlas.css").status_code == 200
    page = client.get("/sign-in").get_data(as_text=True)
    assert "<script" not in page and client.get("/sign-in").headers["Content-Security-Policy"]


def test_every_address_of_the_server_is_guarded(client: FlaskClient) -> None:
    for rule in client.application.url_map.iter_rules():
        if rule.rule in (auth.SIGN_IN, auth.SIGN_OUT, *auth._OPEN) or rule.rule.startswith("/assets"):
            continue
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS"}:
            assert client.open(path, method=method).status_code == 401, f"{method} {path}"


def test_signing_in_and_out(client: FlaskClient, home: Path) -> None:
    answer = sign_in(client, target="/satisfaction?lang=zh")
    assert (answer.status_code, answer.location) == (302, "/satisfaction?lang=zh")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    assert client.get("/_dash-layout").status_code == 200
    layout = json.dumps(client.get("/_dash-layout").get_json())
    assert "/sign-out?lang=en" in layout and '"mei"' in layout
    page = client.get("/sign-out").get_data(as_text=True)
    assert (
        client.post("/sign-out", data={"csrf": "wrong"}).status_code == 200
        and client.get("/_dash-layout").status_code == 200
    )
    client.post("/sign-out", data={"csrf": token(page)})
    assert client.get("/_dash-layout").status_code == 401
    assert [(one["event"], one["user"]) for one in written(home)] == [("signed in", "mei"), ("signed out", "mei")]


def test_the_cookie_is_secure_where_the_reader_came_encrypted(client: FlaskClient) -> None:
    page = client.get("/sign-in", base_url="https://localhost")
    assert "Secure" in page.headers["Set-Cookie"]
    client.delete_cookie("csatlas_session")
    assert "Secure" in client.get("/sign-in", headers={"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]


def test_a_form_without_its_token_or_from_elsewhere_is_refused(client: FlaskClient) -> None:
    data = {"name": "mei", "password": PASSWORD, "csrf": ""}
    assert client.post("/sign-in", data=data).status_code == 400
    assert sign_in(client, headers={"Origin": "https://evil.example"}).status_code == 403
    assert sign_in(client, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/_dash-layout").status_code == 401
    sign_in(client)
    body = {"output": "page-content.children"}
    assert (
        client.post("/_dash-update-component", json=body, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    )


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y", "/sign-out"],
)
def test_the_way_on_stays_on_this_server(client: FlaskClient, target: str) -> None:
    assert sign_in(client, target=target).location == "/"


def test_words_of_a_reader_are_no_markup(client: FlaskClient) -> None:
    evil = '"><script>alert(1)</script>'
    page = sign_in(client, name=evil, password="wrong", target=f"/{evil}").get_data(as_text=True)
    assert "<script" not in page and "&lt;script&gt;" in page


def test_failures_lock_and_time_opens(client: FlaskClient, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr(auth.time, "time", lambda: now[0])
    assert [sign_in(client, password="wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    locked = sign_in(client)
    assert locked.status_code == 429 and "quarter of an hour" in locked.get_data(as_text=True)
    Accounts(home).add("li", PASSWORD, role="executive", units=None, personal=False)
    assert sign_in(client, "li").status_code == 302, "one name is locked, not all"
    client.delete_cookie("csatlas_session")
    now[0] += module.LOCKED_SECONDS + 1
    assert sign_in(client).status_code == 302
    events = [one["event"] for one in written(home)]
    assert events.count("sign-in failed") == 5 and events.count("sign-in refused: locked") == 2
    assert PASSWORD not in (home / "audit.jsonl").read_text(encoding="utf-8")


def test_unknown_names_look_and_count_like_wrong_passwords(client: FlaskClient) -> None:
    strip = re.compile(r'value="[^"]*"')
    unknown = strip.sub("", sign_in(client, "nobody", "wrong").get_data(as_text=True))
    assert unknown == strip.sub("", sign_in(client, "mei", "wrong").get_data(as_text=True))
    statuses = [sign_in(client, "nobody", "wrong").status_code for _ in range(5)]
    assert statuses == [401] * 4 + [429]


def test_many_names_from_one_address_lock_the_address(home: Path) -> None:
    accounts = Accounts(home)
    for number in range(module.MOST_FAILURES_OF_ADDRESS):
        assert accounts.verified(f"name{number}", "wrong", "10.0.0.9", 1000.0) is None
    with pytest.raises(AccountError):
        accounts.verified("mei", PASSWORD, "10.0.0.9", 1000.0)
    assert accounts.verified("mei", PASSWORD, "10.0.0.8", 1000.0) is not None


def test_sessions_end(client: FlaskClient, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr(auth.time, "time", lambda: now[0])

    def is_in() -> bool:
        return client.get("/_dash-layout").status_code == 200

    sign_in(client)
    for _ in range(12):
        now[0] += auth.IDLE_SECONDS - 10
        assert is_in(), "who reads stays signed in"
    now[0] += auth.IDLE_SECONDS - 10
    assert not is_in(), "but not for ever"
    sign_in(client)
    poll = {"output": "published-version.data", "inputs": [], "changedPropIds": []}
    for _ in range(4):
        now[0] += auth.IDLE_SECONDS / 4 + 1
        client.post("/_dash-update-component", json=poll)
    assert not is_in(), "an open page alone keeps no session alive"
    sign_in(client)
    Accounts(home).set_password("mei", "another long one")
    assert not is_in(), "another password ends sessions"
    sign_in(client, password="another long one")
    assert is_in()
    Accounts(home).remove("mei")
    assert not is_in(), "without an account no session"
    assert client.get("/", headers=HTML).status_code == 302, "an empty file of users lets nobody in"


def test_a_forged_session_is_none(client: FlaskClient, home: Path) -> None:
    sign_in(client)
    other = make_server(str(home / "serving"))
    other.secret_key = "another key"
    with other.test_client() as forger, forger.session_transaction() as forged:
        forged.update(user="mei", stamp="x", since=0, seen=0)
    cookie = forger.get_cookie("csatlas_session")
    assert cookie is not None
    client.set_cookie("csatlas_session", cookie.value)
    assert client.get("/_dash-layout").status_code == 401


def test_without_users_only_this_machine_is_answered(tmp_path: Path) -> None:
    (tmp_path / "home" / "serving").mkdir(parents=True)
    client = make_server(str(tmp_path / "home" / "serving")).test_client()
    assert client.get("/").status_code == 200
    assert client.get("/", environ_overrides={"REMOTE_ADDR": "10.1.2.3"}).status_code == 403
    assert client.get("/", base_url="http://rebound.example").status_code == 403
    assert client.get("/sign-in").location == "/"
    assert not (tmp_path / "home" / module.KEY).exists()


def test_serve_goes_public_only_with_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = csatlas(tmp_path, "serve", "--host", "0.0.0.0")
    assert refused.returncode == cli.EXIT_USAGE and "no users" in refused.stdout + refused.stderr
    started: list[list[str]] = []
    monkeypatch.setenv("CSATLAS_HOME", str(tmp_path))
    monkeypatch.setattr(cli.os, "execve", lambda _program, command, _environment: started.append(command))
    cli.serve(host=None, port=None)
    assert "127.0.0.1:8050" in started[0]
    Accounts(tmp_path).add("mei", PASSWORD, role="admin", units=None, personal=True)
    cli.serve(host="0.0.0.0", port=8051)
    assert "0.0.0.0:8051" in started[1]


def test_files_of_accounts_are_for_their_owner_alone(client: FlaskClient, home: Path) -> None:
    sign_in(client, password="wrong")
    sign_in(client)
    for name in (module.USERS, module.KEY, module.FAILURES, module.AUDIT):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name
    kept = (home / module.USERS).read_text(encoding="utf-8")
    assert PASSWORD not in kept and "$argon2id$" in kept
    (home / module.USERS).chmod(0o644)
    with pytest.raises(AccountError, match="chmod 600"):
        Accounts(home).all()


def test_secrets_and_accounts_that_are_not_accepted(home: Path) -> None:
    accounts = Accounts(home)
    for name, password, role in (
        ("mei", PASSWORD, "admin"),
        ("a/b", PASSWORD, "admin"),
        ("bo", "short", "admin"),
        ("bo", PASSWORD, "king"),
    ):
        with pytest.raises(AccountError):
            accounts.add(name, password, role=role, units=None, personal=False)
    with pytest.raises(AccountError):
        module.session_secret(home, "short")
    assert module.session_secret(home) == module.session_secret(home) != module.session_secret(home.parent)
    (home / module.USERS).write_text('{"users": [{}]}', encoding="utf-8")
    with pytest.raises(AccountError, match="damaged"):
        Accounts(home).all()


@pytest.fixture(scope="module")
def two_companies(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Serving folders: of the whole company, and of one that has the reader's rows alone; each in a home with the reader's account."""
    homes = [tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("reduced")]
    (homes[0] / "serving").symlink_to(demo_home / "serving")
    reduced(demo_home, homes[1] / "serving")
    return homes


INPUTS: dict[str, Any] = {
    "pathname": "/", "search": "", "data": "x", "n_clicks": 1, "n_submit": 1, "n_intervals": 1, "opened": False, "value": None, "selectedRows": [], "children": None,
}  # fmt: skip
"""What callbacks are asked with, by property. A callback with a property that is not named here fails the test, so that it is asked with something sensible."""


def _bodies(app: dash.Dash, pages: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests to every callback that runs on the server; to the one that draws a page, one a page."""

    def given(one: Any, values: dict[str, Any]) -> dict[str, Any]:
        if one["property"] not in values:
            pytest.fail(f"A callback takes {one['id']}.{one['property']}; say in INPUTS what it is asked with.")
        value = "en" if one["id"] == "language" else values[one["property"]]
        return {"id": one["id"], "property": one["property"], "value": value}

    def outputs(output: str) -> Any:
        names = [tuple(name.rsplit(".", 1)) for name in output.strip(".").split("...")]
        found = [{"id": name, "property": prop.split("@")[0]} for name, prop in names]
        return found if output.startswith("..") else found[0]

    for output, callback in app.callback_map.items():
        if "callback" not in callback:
            continue  # runs in the browser
        draws = output.startswith("..page-content.children")
        for address in pages if draws else ["/"]:
            path, _, search = address.partition("?")
            values = INPUTS | {"pathname": path, "search": f"?{search}" if search else ""}
            inputs = [given(one, values) for one in callback["inputs"]]
            body = {
                "output": output, "outputs": outputs(output), "inputs": inputs, "state": [given(one, values) for one in callback["state"]],
                "changedPropIds": [f"{inputs[0]['id']}.{inputs[0]['property']}"],
            }  # fmt: skip
            yield f"{output[:60]} at {address}", body


def _addresses() -> list[str]:
    own = {
        "/customers": ("loyalty", "churn", "tiers", "money"),
        "/causes": ("costs", "cause", "found", "improvement"),
        "/satisfaction": ("trends", "who", "quality", "drivers", "index"),
        "/complaints": ("back", "issues", "promises"),
        "/contact-centre": ("menu", "staffing", "agents", "quality"),
        "/tickets": ("promises", "backlog", "repairs"),
        "/definitions": ("atlas",),
    }
    return [page.path for page in PAGES] + [f"{path}?tab={tab}" for path, tabs in own.items() for tab in tabs] + [
        "/explore?metric=tickets_created&by=org_unit_id&grain=month", "/?unit=P-SC", "/definitions?family=tickets_created",
        "/rows?metric=tickets_created", "/rows?metric=csat_top2&part=numerator&unit=P-SC",
    ]  # fmt: skip


def test_every_callback_tells_a_limited_reader_of_no_foreign_row(two_companies: list[Path]) -> None:
    answers: list[dict[str, tuple[int, str]]] = []
    readers = [(two_companies[0], "mei"), (two_companies[1], "mei"), (two_companies[0], "chief")]
    for home in two_companies:
        Accounts(home).add("mei", PASSWORD, role="analyst", units=(CITY,), personal=True)
        Accounts(home).add("chief", PASSWORD, role="admin", units=None, personal=True)
    for home, reader in readers:
        app = create_app(home / "serving")
        client = app.server.test_client()
        client.get("/", environ_overrides={auth.WARM_UP: True})
        sign_in(client, reader)
        found = {"layout": (200, client.get("/_dash-layout").get_data(as_text=True))}
        for name, body in _bodies(app, _addresses()):
            answer = client.post("/_dash-update-component", json=body)
            found[name] = (answer.status_code, answer.get_data(as_text=True))
        answers.append(found)
    whole, theirs, chiefs = answers
    assert whole.keys() == theirs.keys() and len(whole) > 20
    for name, (status, text) in whole.items():
        assert status < 500, name
        assert "went wrong" not in text, name
        assert (status, text) == theirs[name], f"{name} knows more than the rows of the reader"
        assert not re.search(r'"(?:C|P|T)-(?!GD-GZ)[A-Z]{2}\b[^"]*"', text.replace("P-SC", "")), (
            f"{name} names other units"
        )
    assert any("Guangzhou branch" in text for _, text in whole.values())
    differing = [name for name, answer in chiefs.items() if answer != whole[name]]
    assert len(differing) > 15 and any("Chengdu branch" in text for _, text in chiefs.values()), (
        "the test cannot tell the two apart"
    )
    shutil.rmtree(two_companies[1] / "serving")
