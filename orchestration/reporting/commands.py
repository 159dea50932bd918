"""`csatlas report …`: arguments, what is printed, exit codes."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from orchestration.settings import Settings, SettingsError, load_settings

EXIT_FAILED, EXIT_USAGE, EXIT_NOT_READY = 1, 2, 4

app = typer.Typer(help="Reports of the trade as HTML and PDF, and their delivery.", no_args_is_help=True)
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def _fail(message: object, code: int) -> NoReturn:
    err.print(f"[bold red]csatlas:[/] {_plain(message)}")
    raise typer.Exit(code)


def _plain(message: object) -> str:
    """Text for the terminal: neither markup nor control characters take effect."""
    return escape("".join(sign if sign.isprintable() or sign in "\n\t" else repr(sign)[1:-1] for sign in str(message)))


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        _fail(error, EXIT_USAGE)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        _fail(f"--as-of {text!r} is no day; write it as 2026-11-27.", EXIT_USAGE)


def _make(
    pack: str,
    unit: list[str] | None,
    lang: str,
    period: str | None,
    as_of: str | None,
    account: str | None,
    target: Path,
    with_pdf: bool,
    as_json: bool,
) -> None:
    from dashboards.accounts import AccountError
    from dashboards.data.snapshot import NoSnapshot
    from dashboards.i18n import LANGUAGES
    from dashboards.reports.packs import ReportError
    from dashboards.reports.periods import PeriodError, parse_period
    from orchestration.reporting.making import make_report, snapshot_for, viewer_of

    settings = _settings()
    if lang not in LANGUAGES:
        _fail(f"--lang {lang!r}; there are {', '.join(LANGUAGES)}.", EXIT_USAGE)
    if period and as_of:
        _fail("Give --period or --as-of, not both.", EXIT_USAGE)
    day = _day(as_of)
    folder = target.parent if target.suffix.lower() in (".html", ".pdf") else target
    if not folder.is_dir():
        _fail(f"--out: {folder} is no folder.", EXIT_USAGE)
    try:
        chosen = parse_period(period) if period else None
        with snapshot_for(settings, viewer_of(settings, account, unit or ())) as snapshot:
            made = make_report(
                settings, snapshot, pack, target, units=unit or (), language=lang, period=chosen, as_of=day, with_pdf=with_pdf
            )  # fmt: skip
    except (ReportError, PeriodError, AccountError) as error:
        _fail(error, EXIT_USAGE)
    except NoSnapshot as error:
        _fail(error, EXIT_NOT_READY)
    if as_json:
        facts = {
            "pack": pack, "period": made.period.code, "from": made.period.start.isoformat(), "to": made.period.end.isoformat(), "units": unit or [], "language": lang,
            "html": str(made.html), "pdf": None if made.pdf is None else str(made.pdf), "no_pdf": made.no_pdf, "sentences": list(made.report.sentences),
        }  # fmt: skip
        print(json.dumps(facts, ensure_ascii=False, indent=1))
        return
    for sentence in made.report.sentences:
        out.print(_plain(sentence))
    for path in filter(None, (made.html, made.pdf)):
        out.print(_plain(path))
    if made.no_pdf:
        err.print(_plain(made.no_pdf))


_HELP = {
    "weekly": "Weekly quality report: results, weak items, training plan.",
    "monthly": "Monthly work report: staff, training, service, satisfaction, complaints, hard issues.",
    "complaints": "Pack for the meeting on complaints: decisions, causes with cost and owner, second complaints, issues, promises, PDCA board.",
    "quality": "Monthly quality sheet of every agent.",
    "demand": "Satisfaction and demand.",
}


def _command(pack: str) -> Callable[..., None]:
    def command(
        unit: Annotated[
            list[str] | None, typer.Option(help="Unit that it is about, with all below it (repeatable); default: all.")
        ] = None,
        lang: Annotated[str, typer.Option(help="en or zh.")] = "en",
        period: Annotated[
            str | None, typer.Option(help="2026-W47, 2026-11 or 2026-Q4; default: the newest whole one.")
        ] = None,
        as_of: Annotated[
            str | None, typer.Option(help="The newest period that was over on this day (2026-11-27).")
        ] = None,
        account: Annotated[str | None, typer.Option("--as", help="Made with the rights of this user.")] = None,
        target: Annotated[Path, typer.Option("--out", help="Folder, or a file ending in .html or .pdf.")] = Path(),
        with_pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="A PDF too.")] = True,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")] = False,
    ) -> None:
        _make(pack, unit, lang, period, as_of, account, target, with_pdf, as_json)

    command.__doc__ = _HELP[pack]
    return command


for _pack in _HELP:
    app.command(_pack)(_command(_pack))


@app.command("send")
def send(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Make the reports, say what would be sent, send nothing.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="Only these subscriptions (repeatable).")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was sent or refused before.")] = False,
    as_of: Annotated[str | None, typer.Option(help="As if the data ended on this day.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")] = False,
) -> None:
    """Send the reports that are due to those who subscribed (report_subscriptions.yml of the home)."""
    from dashboards.data.snapshot import NoSnapshot
    from orchestration.reporting.delivery import MailError, send_reports
    from orchestration.reporting.subscriptions import SubscriptionError, load_subscriptions, subscriptions_path

    settings = _settings()
    day = _day(as_of)
    try:
        found = load_subscriptions(subscriptions_path(settings))
        unknown = sorted(set(only or ()) - {one.name for one in found})
        if unknown:
            _fail(f"There is no subscription {unknown[0]!r} in {subscriptions_path(settings)}.", EXIT_USAGE)
        chosen = [one for one in found if not only or one.name in only]
        if not chosen:
            out.print(
                _plain(f"No subscriptions in {subscriptions_path(settings)} (docs/reports.md shows how one looks).")
            )
            return
        done = send_reports(
            settings, chosen, dry_run=dry_run, again=again, as_of=day, tell=lambda line: None if as_json else out.print(_plain(line))
        )  # fmt: skip
    except SubscriptionError as error:
        _fail(error, EXIT_USAGE)
    except MailError as error:
        _fail(error, EXIT_FAILED)
    except NoSnapshot as error:
        _fail(error, EXIT_NOT_READY)
    if as_json:
        print(json.dumps([dataclasses.asdict(one) for one in done], ensure_ascii=False, indent=1))
    if any(one.is_trouble for one in done):
        raise typer.Exit(EXIT_FAILED)
