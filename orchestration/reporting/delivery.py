"""Reports by e-mail: which are due, giving them to the mail server, and the record that keeps one from being sent twice.

A report is due once the data are complete to the end of its period (and `wait_days` more). The newest whole period is sent, earlier ones are not made up for. A delivery that the server
took stands in `report_deliveries.jsonl` and is not sent again. One that it refused for good stands there too, and is tried again only when asked; one refused for the time being is tried
again in the same run, and in the next.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import smtplib
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path

from dashboards.accounts import AccountError
from dashboards.data.reports import data_age
from dashboards.i18n import translator
from dashboards.reports.packs import ReportError
from dashboards.reports.periods import Period, last_whole
from orchestration.reporting.making import Made, file_stem, make_report, snapshot_for, viewer_of
from orchestration.reporting.subscriptions import Subscription
from orchestration.settings import Settings, smtp_password

DELIVERIES = "report_deliveries.jsonl"
SECONDS = 30.0
"""How long one answer of the mail server may take."""
PAUSES: Sequence[float] = (5.0, 20.0, 60.0)
"""Seconds before each further try after a refusal for the time being."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class MailError(RuntimeError):
    """The mail server cannot be used at all; the message says why and what to set. It never holds a password."""


class _Refused(Exception):
    """The server refused one message. `is_final`: it will not take it later either."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


@dataclass(frozen=True)
class Delivery:
    """What became of one subscription.

    Attributes:
        outcome: sent, due (in a dry run), sent before, refused before, not yet due, refused, failed (may be tried again) or not allowed.
        message: why.
    """

    subscription: str
    to: str
    pack: str
    unit: str | None
    period: str
    outcome: str
    message: str = ""
    attempts: int = 0

    @property
    def is_trouble(self) -> bool:
        return self.outcome in ("refused", "failed", "not allowed")


def check_mail_settings(settings: Settings) -> None:
    """Whether mail can be sent at all.

    Raises:
        MailError: server or sender is missing, or passwords would go over the network in the clear.
    """
    if not settings.smtp_host:
        raise MailError("No mail server is set. Set CSATLAS_SMTP_HOST and CSATLAS_SMTP_FROM (docs/reports.md).")
    if "@" not in parseaddr(settings.smtp_from)[1]:
        raise MailError(
            f"CSATLAS_SMTP_FROM={settings.smtp_from!r} is no address; write the one that reports come from."
        )
    if settings.smtp_security == "none" and settings.smtp_host not in LOOPBACK:
        raise MailError(
            f"CSATLAS_SMTP_SECURITY=none is for a mail server on this machine; {settings.smtp_host} is not. Use starttls or tls."
        )
    if settings.smtp_user and smtp_password() is None:
        raise MailError("CSATLAS_SMTP_USER is set and CSATLAS_SMTP_PASSWORD is not.")


def deliveries(settings: Settings) -> list[dict[str, object]]:
    """The record, oldest first; a torn last line is left out."""
    try:
        lines = (settings.home / DELIVERIES).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def send_reports(
    settings: Settings,
    subscriptions: Sequence[Subscription],
    *,
    dry_run: bool = False,
    again: bool = False,
    as_of: date | None = None,
    sleep: Callable[[float], None] = time.sleep,
    tell: Callable[[str], None] = lambda _line: None,
) -> list[Delivery]:
    """Send what is due.

    Args:
        dry_run: make each report and say what would be sent, and send nothing.
        again: send also what was sent or refused before.
        as_of: take the data as complete to this day instead (for a look back); never beyond the day to which they are.
        sleep: waits between two tries.

    Raises:
        MailError: no server to send to.
        NoSnapshot: nothing is published.
    """
    if not subscriptions:
        return []
    if not dry_run:
        check_mail_settings(settings)
    with _alone(settings):
        return [_deliver(settings, one, dry_run, again, as_of, sleep, tell) for one in subscriptions]


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One delivery at a time for a home, so that two do not send the same report."""
    settings.home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.home / f".{DELIVERIES}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _deliver(
    settings: Settings,
    subscription: Subscription,
    dry_run: bool,
    again: bool,
    as_of: date | None,
    sleep: Callable[[float], None],
    tell: Callable[[str], None],
) -> Delivery:
    units = (subscription.unit,) if subscription.unit else ()

    def outcome(period: str, word: str, message: str = "", attempts: int = 0) -> Delivery:
        found = Delivery(
            subscription.name, subscription.to, subscription.pack, subscription.unit, period, word, message, attempts
        )
        tell(f"{found.subscription} {found.period} to {found.to}: {found.outcome}{f' ({message})' if message else ''}")
        return found

    try:
        viewer = viewer_of(settings, subscription.account, units)
    except AccountError as error:
        return outcome("", "not allowed", str(error))
    with snapshot_for(settings, viewer) as snapshot:
        complete = data_age(snapshot).complete_until
        day = min(as_of or complete, complete) - timedelta(days=subscription.wait_days)
        period = last_whole(subscription.every, day)
        before = None if again else _before(settings, subscription, period)
        if before is not None:
            return outcome(period.code, f"{before} before")
        with tempfile.TemporaryDirectory(prefix="csatlas-report-") as folder:
            try:
                made = make_report(
                    settings, snapshot, subscription.pack, Path(folder), units=units, language=subscription.language, period=period,
                    with_pdf=subscription.format != "html",
                )  # fmt: skip
            except ReportError as error:
                return outcome(period.code, "not allowed", str(error))
            if dry_run:
                return outcome(period.code, "due", made.no_pdf or "")
            message = report_message(settings, subscription, made)
    attempts = 0
    for pause in (*PAUSES, None):
        attempts += 1
        try:
            give_to_server(settings, message)
        except _Refused as error:
            if error.is_final:
                found = outcome(period.code, "refused", str(error), attempts)
                break
            if pause is None:
                return outcome(period.code, "failed", str(error), attempts)
            tell(f"{subscription.name}: {error}; tried again in {pause:g} s")
            sleep(pause)
            continue
        found = outcome(period.code, "sent", made.no_pdf or "", attempts)
        break
    _record(settings, found, str(message["Message-ID"]))
    return found


def _key(subscription: Subscription, period: Period) -> tuple[object, ...]:
    return (subscription.name, subscription.to, subscription.pack, subscription.unit, period.code)


def _before(settings: Settings, subscription: Subscription, period: Period) -> str | None:
    """sent or refused, if that is what became of it last time."""
    for entry in reversed(deliveries(settings)):
        key = tuple(entry.get(name) for name in ("subscription", "to", "pack", "unit", "period"))
        if key == _key(subscription, period) and entry.get("outcome") in ("sent", "refused"):
            return str(entry["outcome"])
    return None


def _record(settings: Settings, delivery: Delivery, message_id: str) -> None:
    line = json.dumps(
        {"at": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(delivery), "message_id": message_id},
        ensure_ascii=False,
    )
    descriptor = os.open(settings.home / DELIVERIES, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def report_message(settings: Settings, subscription: Subscription, made: Made) -> EmailMessage:
    """The e-mail: the three sentences, and the report attached.

    Its Message-ID follows from subscription and period, so that a mailbox can tell a second one from the first.
    """
    t = translator(subscription.language)
    report = made.report
    message = EmailMessage()
    message["Subject"] = " ".join(f"{report.title} · {report.scope} · {report.period}".split())
    message["From"] = settings.smtp_from
    message["To"] = subscription.to
    message["Date"] = format_datetime(datetime.now(UTC))
    sender = parseaddr(settings.smtp_from)[1]
    digest = hashlib.sha256(json.dumps(_key(subscription, made.period)).encode()).hexdigest()[:32]
    message["Message-ID"] = f"<csatlas-{digest}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    said = "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(report.sentences, 1))
    attached = (
        t("report.mail.html_only") if made.pdf is None and subscription.format != "html" else t("report.mail.attached")
    )
    message.set_content(
        f"{report.title}\n{report.scope} · {report.period}\n\n{said}\n\n{attached}\n{t('report.mail.why')}\n"
    )
    stem = file_stem(report.pack, made.period, (subscription.unit,) if subscription.unit else (), report.language)
    if made.pdf is not None:
        message.add_attachment(made.pdf.read_bytes(), maintype="application", subtype="pdf", filename=f"{stem}.pdf")
    if subscription.format != "pdf" or made.pdf is None:
        message.add_attachment(
            made.html.read_bytes(),
            maintype="text",
            subtype="html",
            filename=f"{stem}.html",
            params={"charset": "utf-8"},
        )
    return message


def give_to_server(settings: Settings, message: EmailMessage) -> None:
    """Give one message to the mail server.

    Raises:
        MailError: the server's certificate or our sign-in is not accepted, or it does not offer what was set.
        _Refused: the message was not taken, for now or for good.
    """
    host, port = settings.smtp_host or "", settings.smtp_port
    where = f"{host}:{port}"
    try:
        context = ssl.create_default_context(cafile=settings.smtp_ca)
    except OSError as error:
        raise MailError(f"CSATLAS_SMTP_CA={settings.smtp_ca}: {error.strerror or 'no certificates in it'}.") from None
    try:
        server: smtplib.SMTP = (
            smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
            if settings.smtp_security == "tls"
            else smtplib.SMTP(host, port, timeout=SECONDS)
        )
        with server:
            if settings.smtp_security == "starttls":
                server.starttls(context=context)
            if settings.smtp_user:
                server.login(settings.smtp_user, smtp_password() or "")
            server.send_message(message)
    except smtplib.SMTPNotSupportedError as error:
        raise MailError(f"{where} does not offer what is set: {error}. See CSATLAS_SMTP_SECURITY.") from None
    except smtplib.SMTPAuthenticationError as error:
        if 400 <= error.smtp_code < 500:
            raise _Refused(f"{where} does not sign in now: {error.smtp_code}", is_final=False) from None
        # What the server says may repeat what it was given.
        raise MailError(
            f"{where} does not accept CSATLAS_SMTP_USER and CSATLAS_SMTP_PASSWORD ({error.smtp_code})."
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise MailError(
            f"The certificate of {where} is not trusted: {error.verify_message}. See CSATLAS_SMTP_CA."
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise _Refused(_words(where, code, said), is_final=code >= 500) from None
    except smtplib.SMTPResponseException as error:
        raise _Refused(_words(where, error.smtp_code, error.smtp_error), is_final=error.smtp_code >= 500) from None
    except smtplib.SMTPServerDisconnected as error:
        silent = isinstance(error.__context__, TimeoutError)
        reason = f"does not answer within {SECONDS:g} seconds" if silent else f"ended the conversation: {error}"
        raise _Refused(f"{where} {reason}", is_final=False) from None
    except TimeoutError:
        raise _Refused(f"{where} does not answer within {SECONDS:g} seconds", is_final=False) from None
    except (smtplib.SMTPException, OSError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        raise _Refused(f"{where} cannot be reached: {reason}", is_final=False) from None


def _words(where: str, code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{where} said {code}: {' '.join(text.split())[:200]}"
