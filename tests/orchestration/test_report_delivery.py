"""Reports by e-mail, with a real mail server: what is sent, to whom, once, and what is said when it does not go through."""

from __future__ import annotations

import datetime as dt
import email
import json
import socket
import ssl
from collections.abc import Iterator
from email.message import Message
from email.policy import default
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dashboards.accounts import Accounts
from orchestration.reporting import delivery
from orchestration.reporting.delivery import MailError, check_mail_settings, deliveries, send_reports
from orchestration.reporting.subscriptions import SubscriptionError, load_subscriptions, subscriptions_path
from orchestration.settings import Settings
from tests.conftest import csatlas

PASSWORD = "correct horse battery staple"
CITY = "C-GD-GZ"


class _Mailbox:
    """What the server was given; `answers` are said instead of taking a message, in their order."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[str], Message]] = []
        self.answers: list[str] = []
        self.signed_in: list[bytes] = []
        self.tries = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.tries += 1
        if self.answers:
            return self.answers.pop(0)
        self.messages.append(
            (envelope.mail_from, envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=default))
        )
        return "250 OK"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        self.signed_in.append(data.login)
        is_right = data.login == b"csatlas" and data.password == PASSWORD.encode()
        return AuthResult(success=is_right, handled=is_right)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that only who is told trusts; its key beside it."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def mailbox() -> _Mailbox:
    return _Mailbox()


@pytest.fixture
def server(mailbox: _Mailbox, certificate: Path) -> Iterator[Controller]:
    """A mail server on loopback that wants TLS and a password before it takes anything."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    found = Controller(
        mailbox, hostname="127.0.0.1", port=_free_port(), tls_context=context, require_starttls=True, authenticator=mailbox.authenticate, auth_required=True
    )  # fmt: skip
    found.start()
    yield found
    found.stop()


@pytest.fixture
def home(demo_home: Path, tmp_path: Path) -> Path:
    """A home of its own over the published snapshot, with a city's manager and an executive."""
    found = tmp_path / "home"
    found.mkdir()
    (found / "serving").symlink_to(demo_home / "serving")
    accounts = Accounts(found)
    accounts.add("mei", role="executive", units=(CITY,), personal=False, password=PASSWORD)
    accounts.add("chief", role="executive", units=None, personal=False, password=PASSWORD)
    return found


def _settings(home: Path, server: Controller, certificate: Path, **more: Any) -> Settings:
    port = server.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    given: dict[str, Any] = {
        "smtp_host": "127.0.0.1", "smtp_port": port, "smtp_user": "csatlas", "smtp_from": "csatlas <reports@example.com>", "smtp_ca": str(certificate / "cert.pem"),
    }  # fmt: skip
    return Settings(home=home, **(given | more))


@pytest.fixture
def settings(home: Path, server: Controller, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CSATLAS_SMTP_PASSWORD", PASSWORD)
    return _settings(home, server, certificate)


def _subscribe(settings: Settings, *entries: dict[str, Any]) -> list[Any]:
    path = subscriptions_path(settings)
    path.write_text(json.dumps({"subscriptions": list(entries)}), encoding="utf-8")  # JSON is YAML
    return load_subscriptions(path)


def _entry(**more: Any) -> dict[str, Any]:
    return {
        "name": "mei-monthly",
        "account": "mei",
        "to": "mei@example.com",
        "pack": "monthly",
        "unit": CITY,
        "language": "zh",
        "format": "html",
    } | more


def test_a_report_is_sent_once_with_its_sentences(settings: Settings, mailbox: _Mailbox) -> None:
    found = _subscribe(settings, _entry(format="both"))
    (sent,) = send_reports(settings, found)
    assert (sent.outcome, sent.period, sent.attempts) == ("sent", "2026-09", 1)
    ((sender, to, message),) = mailbox.messages
    assert sender == "reports@example.com" and to == ["mei@example.com"] and mailbox.signed_in == [b"csatlas"]
    assert (
        str(message["Subject"]).startswith("月度工作报告 · 广州市分公司 · 2026年")
        and message["Auto-Submitted"] == "auto-generated"
    )
    text = message.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    assert "1. " in text and "3. " in text and "数据完整至" in text
    files = {part.get_filename(): part for part in message.iter_attachments()}  # type: ignore[attr-defined]
    assert set(files) == {f"monthly-{sent.period}-{CITY}-zh.{kind}" for kind in ("pdf", "html")}
    pdf = files[f"monthly-{sent.period}-{CITY}-zh.pdf"].get_content()
    assert pdf.startswith(b"%PDF-")
    html = files[f"monthly-{sent.period}-{CITY}-zh.html"].get_content()
    assert "<script" not in html and all(
        line.split(". ", 1)[1] in html for line in text.splitlines() if line[:2] in ("1.", "2.", "3.")
    )

    (again,) = send_reports(settings, found)
    assert again.outcome == "sent before" and len(mailbox.messages) == 1
    (record,) = deliveries(settings)
    assert record["outcome"] == "sent" and record["message_id"] == message["Message-ID"]
    assert (settings.home / "report_deliveries.jsonl").stat().st_mode & 0o077 == 0
    send_reports(settings, found, again=True)
    assert [str(one["Message-ID"]) for _, _, one in mailbox.messages] == [message["Message-ID"]] * 2


def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(settings: Settings, mailbox: _Mailbox) -> None:
    found = _subscribe(settings, _entry())
    slept: list[float] = []
    mailbox.answers = ["451 greylisted", "452 full"]
    (sent,) = send_reports(settings, found, sleep=slept.append)
    assert (sent.outcome, sent.attempts) == ("sent", 3) and slept == [5.0, 20.0] and len(mailbox.messages) == 1

    found = _subscribe(settings, _entry(name="other"))
    mailbox.answers = ["451 later"] * 4
    (failed,) = send_reports(settings, found, sleep=slept.append)
    assert failed.outcome == "failed" and failed.is_trouble and "said 451: later" in failed.message
    (sent,) = send_reports(settings, found, sleep=slept.append)
    assert sent.outcome == "sent"  # the next run tries again

    found = _subscribe(settings, _entry(name="third"))
    mailbox.answers = ["550 no such mailbox"]
    (refused,) = send_reports(settings, found, sleep=slept.append)
    assert refused.outcome == "refused" and "550" in refused.message
    tries = mailbox.tries
    (after,) = send_reports(settings, found, sleep=slept.append)
    assert after.outcome == "refused before" and mailbox.tries == tries


def test_one_trouble_does_not_keep_the_others(settings: Settings, mailbox: _Mailbox) -> None:
    found = _subscribe(
        settings,
        _entry(name="foreign", unit="C-SC-CD"), _entry(name="above", unit="P-GD"), _entry(name="gone", account="nobody"),
        _entry(name="own", to="own@example.com"), _entry(name="chief", account="chief", unit="C-SC-CD", to="chief@example.com"),
    )  # fmt: skip
    done = {one.subscription: one for one in send_reports(settings, found)}
    assert {name: one.outcome for name, one in done.items()} == {
        "foreign": "not allowed", "above": "not allowed", "gone": "not allowed", "own": "sent", "chief": "sent",
    }  # fmt: skip
    assert "no user 'nobody'" in done["gone"].message
    assert [to for _, to, _ in mailbox.messages] == [["own@example.com"], ["chief@example.com"]]


def test_a_subscriber_gets_the_rows_of_the_account(settings: Settings, mailbox: _Mailbox) -> None:
    entry = _entry()
    del entry["unit"]
    send_reports(settings, _subscribe(settings, entry))
    ((_, _, message),) = mailbox.messages
    (html,) = [part.get_content() for part in message.iter_attachments()]  # type: ignore[attr-defined]
    assert "广州市分公司" in html and "四川" not in html and "成都" not in html


def test_a_dry_run_sends_and_records_nothing(settings: Settings, mailbox: _Mailbox) -> None:
    told: list[str] = []
    (found,) = send_reports(settings, _subscribe(settings, _entry()), dry_run=True, tell=told.append)
    assert found.outcome == "due" and mailbox.messages == [] and deliveries(settings) == []
    assert told == [f"mei-monthly {found.period} to mei@example.com: due"]
    (early,) = send_reports(settings, _subscribe(settings, _entry(wait_days=31)), dry_run=True)
    assert early.period < found.period  # the data do not reach far enough beyond the newest period


def test_a_server_that_cannot_be_used_is_told_without_the_password(
    home: Path, server: Controller, certificate: Path, mailbox: _Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def why(settings: Settings) -> str:
        with pytest.raises(MailError) as error:
            send_reports(settings, _subscribe(settings, _entry()), sleep=lambda _seconds: None)
        assert "wrong horse" not in str(error.value) and PASSWORD not in str(error.value)
        assert error.value.__cause__ is None
        return str(error.value)

    assert "No mail server is set" in why(Settings(home=home))
    assert "is no address" in why(_settings(home, server, certificate, smtp_from="reports"))
    assert "CSATLAS_SMTP_PASSWORD is not" in why(_settings(home, server, certificate))
    monkeypatch.setenv("CSATLAS_SMTP_PASSWORD", "wrong horse")
    assert "does not accept" in why(_settings(home, server, certificate))
    assert "is not trusted" in why(_settings(home, server, certificate, smtp_ca=None))
    assert "is for a mail server on this machine" in why(
        _settings(home, server, certificate, smtp_security="none", smtp_host="mail.example.com")
    )
    assert mailbox.messages == []

    unreachable = _settings(home, server, certificate, smtp_port=1)
    (failed,) = send_reports(unreachable, _subscribe(unreachable, _entry()), sleep=lambda _seconds: None)
    assert failed.outcome == "failed" and failed.attempts == 4 and "cannot be reached" in failed.message
    assert "wrong horse" not in repr(unreachable)


def test_a_server_that_says_nothing_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "SECONDS", 0.2)
    monkeypatch.setattr(delivery, "PAUSES", ())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = Settings(
            home=home,
            smtp_host="127.0.0.1",
            smtp_port=silent.getsockname()[1],
            smtp_from="a@example.com",
            smtp_security="none",
        )
        (failed,) = send_reports(settings, _subscribe(settings, _entry()))
    assert failed.outcome == "failed" and "does not answer within" in failed.message


def test_the_command_says_what_was_done(settings: Settings, mailbox: _Mailbox) -> None:
    _subscribe(settings, _entry(), _entry(name="foreign", unit="C-SC-CD"))
    env = {
        "CSATLAS_SMTP_HOST": "127.0.0.1", "CSATLAS_SMTP_PORT": str(settings.smtp_port), "CSATLAS_SMTP_USER": "csatlas", "CSATLAS_SMTP_PASSWORD": PASSWORD,
        "CSATLAS_SMTP_FROM": "reports@example.com", "CSATLAS_SMTP_CA": settings.smtp_ca or "",
    }  # fmt: skip
    done = csatlas(settings.home, "report", "send", env=env)
    assert (
        done.returncode == 1
        and "mei-monthly" in done.stdout
        and "not allowed" in done.stdout
        and PASSWORD not in done.stdout + done.stderr
    )
    assert len(mailbox.messages) == 1
    only = csatlas(settings.home, "report", "send", "--only", "mei-monthly", "--json", env=env)
    assert only.returncode == 0 and json.loads(only.stdout)[0]["outcome"] == "sent before"
    assert csatlas(settings.home, "report", "send", "--only", "who", env=env).returncode == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("- a", "write a list under"), ("subscriptions: [1]", "entry 1"), ("subscriptions: [{name: a}]", "account is missing"), (": : :", "not YAML"),
        ("subscriptions: [{name: a, account: b, to: 'x@y.z, q@y.z', pack: monthly}]", "not one e-mail address"),
        ('subscriptions: [{name: a, account: b, to: "x@y.z\\nBcc: q@y.z", pack: monthly}]', "not one e-mail address"),
        ("subscriptions: [{name: a, account: b, to: x@y.z, pack: yearly}]", "no report 'yearly'"),
        ("subscriptions: [{name: a, account: b, to: x@y.z, pack: weekly, every: month}]", "every is 'month'"),
        ("subscriptions: [{name: a, account: b, to: x@y.z, pack: monthly, when: monday}]", "there is no 'when'"),
        ("subscriptions: [{name: a, account: b, to: x@y.z, pack: monthly, wait_days: 99}]", "wait_days is 99"),
        ("subscriptions: [{name: a, account: b, to: x@y.z, pack: monthly}, {name: a, account: b, to: x@y.z, pack: demand}]", "stands twice"),
    ],
)  # fmt: skip
def test_a_file_of_subscriptions_that_cannot_be_used_is_refused(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "report_subscriptions.yml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SubscriptionError, match=words):
        load_subscriptions(path)


def test_settings_of_mail_are_judged(tmp_path: Path) -> None:
    check_mail_settings(Settings(home=tmp_path, smtp_host="localhost", smtp_from="a@example.com", smtp_security="none"))
    assert load_subscriptions(tmp_path / "nothing.yml") == []
