"""The `csatlas` command.

Belongs here: arguments, what is printed, exit codes. Does not belong here: doing the work.

Exit codes: 0 done · 1 the run failed or the gate is closed · 2 wrong usage or input · 3 the home is in use by another process ·
4 nothing is published yet.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration.reporting.commands import app as report_app
from orchestration.settings import PROJECT_ROOT, Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from dashboards.data.metrics import Filters
    from dashboards.data.snapshot import Snapshot

_DAGSTER_YAML = """telemetry:
  enabled: false
compute_logs:  # what dbt prints goes to a file of its own; capturing it twice costs two processes a run
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""

EXIT_FAILED, EXIT_USAGE, EXIT_LOCKED, EXIT_NOT_READY = 1, 2, 3, 4

app = typer.Typer(
    help="Warehouse and satisfaction analytics of a customer-service organisation.",
    no_args_is_help=True,
    add_completion=False,
)
source_app = typer.Typer(help="Sources: declarations and staging models.", no_args_is_help=True)
app.add_typer(source_app, name="source")
draw_app = typer.Typer(help="Random draws with a recorded seed, and their check.", no_args_is_help=True)
app.add_typer(draw_app, name="draw")
show_app = typer.Typer(help="One thing on one page.", no_args_is_help=True)
app.add_typer(show_app, name="show")
user_app = typer.Typer(help="Who may sign in to the dashboards.", no_args_is_help=True)
app.add_typer(user_app, name="user")
causes_app = typer.Typer(help="Root causes of complaints.", no_args_is_help=True)
app.add_typer(causes_app, name="causes")
app.add_typer(report_app, name="report")

# A pipe has no width of its own; tables in a log should not be folded to that of an old terminal.
_WIDTH = None if sys.stdout.isatty() else 200
out = Console(highlight=False, soft_wrap=True, width=_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]


def _fail(message: object, code: int) -> NoReturn:
    err.print(f"[bold red]csatlas:[/] {_escaped(message)}")
    raise typer.Exit(code)


def _escaped(message: object) -> str:
    """Text for the terminal: neither markup nor control characters of a file's name or content take effect."""
    text = "".join(sign if sign.isprintable() or sign in "\n\t" else repr(sign)[1:-1] for sign in str(message))
    return escape(text)


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        _fail(error, EXIT_USAGE)


def _print_json(value: object) -> None:
    def plain(found: object) -> object:
        if dataclasses.is_dataclass(found) and not isinstance(found, type):
            return dataclasses.asdict(found)
        if isinstance(found, (date, datetime)):
            return found.isoformat()
        return float(found) if hasattr(found, "__float__") else str(found)

    print(json.dumps(value, ensure_ascii=False, indent=1, default=plain))


def _print_table(rows: list[dict[str, Any]], title: str | None = None, limit: int | None = None) -> None:
    if not rows:
        out.print(f"{title}: nothing" if title else "nothing")
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in rows[0]:
        table.add_column(
            name,
            justify="right"
            if isinstance(rows[0][name], (int, float)) and not isinstance(rows[0][name], bool)
            else "left",
        )
    for row in rows[:limit]:
        table.add_row(*(_cell(value) for value in row.values()))
    out.print(table)
    if limit is not None and len(rows) > limit:
        out.print(f"… and {len(rows) - limit:,} more")


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return _escaped(value)


@contextmanager
def _snapshot() -> Iterator[Any]:
    from dashboards.data.snapshot import NoSnapshot, SnapshotStore

    store = SnapshotStore(_settings().serving)
    try:
        yield store.current()
    except NoSnapshot as error:
        _fail(error, EXIT_NOT_READY)
    finally:
        store.close()


@contextmanager
def _past_snapshot(said_on: date | None, known_on: date | None) -> Iterator[tuple[Any, dict[str, Any] | None]]:
    """The snapshot that answers for a day, and in words for a machine what it answers from: the one that was published at the
    end of the day, or one of what was known then. No day: the one that is published, and None."""
    from dashboards.data.snapshot import open_snapshot

    if said_on is None and known_on is None:
        with _snapshot() as snapshot:
            yield snapshot, None
        return
    if said_on is not None and known_on is not None:
        _fail("--said-on and --as-known-on are two questions; ask one.", EXIT_USAGE)
    settings = _settings()
    try:
        ZoneInfo(settings.time_zone)
    except (KeyError, ValueError, OSError):
        _fail(
            f"CSATLAS_TIME_ZONE={settings.time_zone!r} is no IANA time zone; use one such as Asia/Shanghai.", EXIT_USAGE
        )
    path, source, words = _said(settings, said_on) if said_on is not None else _known(settings, known_on)
    err.print(_escaped(words))
    with closing(open_snapshot(path)) as snapshot:
        yield snapshot, source


def _said(settings: Settings, day: date) -> tuple[Path, dict[str, Any], str]:
    from orchestration.serving import publish

    try:
        version = publish.version_said_on(settings, day)
    except publish.PublishError as error:
        _fail(error, EXIT_USAGE)
    source = {"said_on": day, "time_zone": settings.time_zone, "version": version}
    words = f"as said on {day} ({settings.time_zone}): version {version}, with the definitions of then"
    return settings.serving / f"csatlas-{version}.duckdb", source, words


def _known(settings: Settings, day: date | None) -> tuple[Path, dict[str, Any], str]:
    from orchestration.locking import HomeLocked
    from orchestration.operations.as_known import AsKnownError, snapshot_as_known_on
    from orchestration.sources.declarations import DeclarationError
    from orchestration.warehouse import DbtParseError

    assert day is not None
    try:
        with err.status(f"computing what was known on {day}") as status:
            known = snapshot_as_known_on(settings, day, lambda line: status.update(_escaped(line)))
    except KeyboardInterrupt:
        _fail("stopped by hand; nothing needs cleaning up.", EXIT_FAILED)
    except (AsKnownError, DeclarationError) as error:
        _fail(error, EXIT_USAGE)
    except HomeLocked as error:
        _fail(error, EXIT_LOCKED)
    except DbtParseError as error:
        _fail(error, EXIT_FAILED)
    source = {
        "as_known_on": day, "time_zone": known.time_zone, "loaded_before_utc": known.until, "files": known.files,
        "loads": known.loads, "last_load_id": known.last_load_id, "last_loaded_at_utc": known.last_loaded_at,
    }  # fmt: skip
    words = (
        f"as known on {day} ({known.time_zone}): {known.files:,} files of {known.loads:,} loads, the last of"
        f" {known.last_loaded_at:%Y-%m-%d %H:%M} UTC, with the definitions of today"
    )
    return known.path, source, words


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        _fail(f"{option} {text!r} is not a day; write it as 2026-01-31.", EXIT_USAGE)


def _version(wanted: bool) -> None:
    if wanted:
        print(importlib.metadata.version("csatlas"))
        raise typer.Exit()


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""


@app.command()
def demo(
    customers: Annotated[int, typer.Option(min=50, help="Customers of the company.")] = 5_000,
    months: Annotated[int, typer.Option(min=1, max=120, help="Months of history.")] = 15,
    calls: Annotated[int | None, typer.Option(min=1, help="Calls in all; default: what the customers make.")] = None,
    tickets: Annotated[
        int | None, typer.Option(min=1, help="Tickets in all; default: what the customers open.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed makes another company.")] = 7,
    until: Annotated[str | None, typer.Option(help="Last day of the history (2026-01-31); default: yesterday.")] = None,
    next_day: Annotated[
        bool, typer.Option("--next-day", help="Add one further day's deliveries to the company that is there.")
    ] = False,
    clean: Annotated[bool, typer.Option("--clean", help="Without planted bad data.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the inbox of a company made before.")] = False,
    as_json: Json = False,
) -> None:
    """Fill the inbox with the deliveries of the built-in company."""
    from orchestration.demo import DemoError
    from orchestration.demo import generate as generate_company
    from orchestration.demo import next_day as generate_day
    from orchestration.locking import HomeLocked, home_lock
    from orchestration.sources.declarations import DeclarationError
    from orchestration.warehouse import DbtParseError, ensure_manifest

    settings = _settings()
    last = _day(until, "--until")
    refusal: BaseException | None = None
    try:
        with (
            home_lock(settings, "demo"),
            err.status("making the company") as status,
            ThreadPoolExecutor(max_workers=1) as aside,
        ):

            def progress(label: str, done: int, of: int) -> None:
                status.update(f"making the company: {label} ({done} of {of})")

            if next_day:
                company = generate_day(settings.inbox, progress=progress)
            else:
                # The first refresh finds the dbt project parsed already.
                parsed = aside.submit(ensure_manifest, settings)
                company = generate_company(
                    settings.inbox, seed=seed, customers=customers, months=months, end=last, calls=calls, tickets=tickets,
                    dirty=not clean, replace=replace, progress=progress,
                )  # fmt: skip
                refusal = parsed.exception()
                if refusal is not None and not isinstance(refusal, DeclarationError | DbtParseError):
                    raise refusal
    except HomeLocked as error:
        _fail(error, EXIT_LOCKED)
    except DemoError as error:
        _fail(error, EXIT_USAGE)
    if refusal is not None:
        err.print(f"[yellow]the company is made, but a refresh would stop:[/] {_escaped(refusal)}")
    facts = {
        "inbox": str(company.inbox),
        "until": company.until,
        "truth": str(company.truth_path),
        "rows": dict(company.rows),
    }
    if as_json:
        _print_json(facts)
    else:
        out.print(
            f"{sum(company.rows.values()):,} rows up to {company.until} in {company.inbox}; the truth about them is in {company.truth_path}"
        )


@app.command()
def refresh(
    full: Annotated[bool, typer.Option("--full", help="Rebuild the warehouse and the snapshot whole.")] = False,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="Load only this source (repeatable); build and publish all the same."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the nightly job now, in this process: load, build and test, publish."""
    from orchestration import runs

    settings = _settings()
    try:
        record = _run_job(settings, full, source)
    except KeyboardInterrupt:
        _fail("stopped by hand; run `csatlas refresh` again, nothing needs cleaning up.", EXIT_FAILED)
    finally:
        runs.listen(None)
    if as_json:
        _print_json(record)
    elif record.get("outcome") == "published":
        out.print(
            f"[green]published[/] {record['version']} in {record['seconds']:.0f} s: {record.get('rows_loaded', 0):,} rows loaded;"
            f" {record['received']:,} received = {record['used']:,} used + {record['superseded']:,} superseded + {record['quarantined']:,} quarantined"
        )
        for name, facts in record.get("sources", {}).items():
            for refused in facts["refused"]:
                err.print(f"[yellow]refused[/] {name}/{_escaped(refused['file'])}: {_escaped(refused['message'])}")
            for unmatched in facts["unmatched"]:
                err.print(f"[yellow]not matched[/] {name}/{_escaped(unmatched)}: no pattern of {name}.yml fits")
        for sentence in record.get("stale", []):
            err.print(f"[yellow]stale[/] {_escaped(sentence)}")
    if record.get("outcome") != "published":
        _fail(
            f"refresh {record.get('outcome', 'failed')}: {record.get('message') or 'see the run record'}. The published snapshot stays as it was."
            f" The record is {settings.runs / (str(record['run_id']) + '.json')}.",
            EXIT_FAILED,
        )


def _run_job(settings: Settings, full: bool, sources: list[str] | None) -> dict[str, Any]:
    """Execute the nightly job in this process; returns the run record."""
    import logging

    from orchestration import runs
    from orchestration.locking import HomeLocked, holder
    from orchestration.sources.declarations import DeclarationError
    from orchestration.warehouse import DbtParseError, warm_up

    held = holder(settings)
    if held is not None:
        _fail(
            f"{settings.home} is in use: {held}. Wait for it, or stop that process; the lock frees itself when it ends.",
            EXIT_LOCKED,
        )
    settings.dagster_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = settings.dagster_home / "dagster.yaml"
    if not config.exists():
        config.write_text(_DAGSTER_YAML, encoding="utf-8")
    os.environ.update(
        {
            "DAGSTER_HOME": str(settings.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "CSATLAS_HOME": str(settings.home),
        }
    )
    with err.status("starting") as status:
        runs.listen(lambda message: status.update(_escaped(message)))
        try:
            warm_up(settings)
            import dagster as dg

            logging.getLogger("dagster").setLevel(logging.ERROR)
            from orchestration.definitions import defs as definitions
            from orchestration.defs.resources import event_log_kept_open

        except (DeclarationError, DbtParseError) as error:
            _fail(error, EXIT_USAGE)
        selection = None
        if sources:
            known = {
                key.path[1]: key
                for key in definitions.resolve_asset_graph().get_all_asset_keys()
                if key.path[0] == "raw" and len(key.path) == 2
            }
            unknown = [name for name in sources if name not in known]
            if unknown:
                _fail(f"source {unknown[0]!r} is not enabled; enabled are {', '.join(sorted(known))}.", EXIT_USAGE)
            left_out = {key for name, key in known.items() if name not in sources}
            selection = [
                key for key in definitions.resolve_asset_graph().materializable_asset_keys if key not in left_out
            ]
        instance = dg.DagsterInstance.get()
        with event_log_kept_open(instance):
            result = definitions.resolve_job_def("nightly").execute_in_process(
                instance=instance,
                raise_on_error=False,
                asset_selection=selection,
                run_config={
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                    "ops": {name: {"config": {"full": full}} for name in ("warehouse", "serving__snapshot")},
                },
            )
    record = runs.RunRecord(settings, result.run_id)
    if record.facts.get("outcome") == "running":
        errors = [getattr(event.event_specific_data, "error", None) for event in result.all_events if event.is_failure]
        failures = [str(error.message) for error in errors if error is not None]
        if any(HomeLocked.__name__ in failure for failure in failures):
            record.path.unlink(missing_ok=True)
            _fail(holder(settings) or "the home was in use by another process; run the refresh again.", EXIT_LOCKED)
        record.finish("failed", failures[0].strip() if failures else "the job ended without a result")
    return record.facts


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default CSATLAS_HOST (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; default CSATLAS_PORT (8050).")] = None,
) -> None:
    """Serve the dashboards of the published snapshot."""
    from dashboards.openid_settings import OpenIdSettingsError, sign_in_settings

    settings = _settings()
    address = f"{host or settings.host}:{port or settings.port}"
    accounts = _accounts(settings)
    try:
        sign_in = sign_in_settings(os.environ)
    except OpenIdSettingsError as error:
        _fail(str(error), EXIT_USAGE)
    if sign_in.openid is None and not accounts.exist():
        if (host or settings.host) not in ("127.0.0.1", "localhost", "::1"):
            _fail(
                f"{host or settings.host} can be reached from elsewhere, and no users are set up. Add one first: csatlas user add NAME --role admin",
                EXIT_USAGE,
            )
        err.print("No users are set up: only this machine is answered, and it sees everything (csatlas user add).")
    out.print(f"dashboards on http://{address} (Ctrl-C ends them)")
    command = [
        sys.executable, "-m", "gunicorn", "--bind", address, "--workers", str(settings.workers), "--threads", "4",
        "--no-control-socket", "--access-logfile", "/dev/null", "--timeout", "60",
        # Which proxies are believed is said by CSATLAS_TRUSTED_PROXIES alone.
        "--forwarded-allow-ips", "", "dashboards.wsgi:make_server()",
    ]  # fmt: skip
    os.execve(sys.executable, command, {**os.environ, "CSATLAS_HOME": str(settings.home)})


def _accounts(settings: Settings) -> Any:
    from dashboards.accounts import Accounts

    return Accounts(settings.home)


def _new_password() -> str:
    """A password from the terminal, asked for twice, or the first line of the standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


@user_app.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="Name to sign in with.")],
    role: Annotated[str, typer.Option(help="executive, analyst, scheduler or admin.")],
    unit: Annotated[
        list[str] | None,
        typer.Option(
            help="Organisation unit whose rows may be seen, with all below it (repeatable); default: every unit."
        ),
    ] = None,
    masked: Annotated[
        bool,
        typer.Option(
            "--masked", help="Without personal data, whatever the role; executives and schedulers never see it."
        ),
    ] = False,
) -> None:
    """Add a user; the password is asked for, or read from the standard input."""
    from dashboards.accounts import AccountError
    from dashboards.data.rights import PERSONAL_ROLES
    from dashboards.data.snapshot import NoSnapshot, SnapshotStore

    settings = _settings()
    units = tuple(dict.fromkeys(unit)) if unit else None
    if units:
        store = SnapshotStore(settings.serving)
        try:
            known = {row["org_unit_id"] for row in store.current().rows("select org_unit_id from dim_org_units")}
        except NoSnapshot as error:
            _fail(f"the units cannot be checked: {error}", EXIT_NOT_READY)
        finally:
            store.close()
        missing = [one for one in units if one not in known]
        if missing:
            _fail(f"there is no organisation unit {', '.join(missing)}.", EXIT_USAGE)
    try:
        _accounts(settings).add(
            name, _new_password(), role=role, units=units, personal=role in PERSONAL_ROLES and not masked
        )
    except AccountError as error:
        _fail(error, EXIT_USAGE)
    out.print(f"user {name} added: {role}, {'units ' + ', '.join(units) if units else 'every unit'}")


@user_app.command("list")
def list_users(as_json: Annotated[bool, typer.Option("--json", help="For a machine.")] = False) -> None:
    """List the users with their roles and units."""
    from dashboards.accounts import AccountError

    try:
        accounts = _accounts(_settings()).all()
    except AccountError as error:
        _fail(error, EXIT_USAGE)
    rows = [
        {
            "user": one.name,
            "role": one.role,
            "units": ", ".join(one.units) if one.units is not None else "all",
            "personal": one.personal,
        }
        for one in accounts.values()
    ]
    if as_json:
        _print_json(rows)
    elif rows:
        _print_table(rows)
    else:
        out.print("no users")


@user_app.command("remove")
def remove_user(name: Annotated[str, typer.Argument(help="Name of the user.")]) -> None:
    """Remove a user; open sessions end. Without the last one nobody can sign in."""
    from dashboards.accounts import AccountError

    try:
        _accounts(_settings()).remove(name)
    except AccountError as error:
        _fail(error, EXIT_USAGE)
    out.print(f"user {name} removed")


@user_app.command("password")
def change_password(name: Annotated[str, typer.Argument(help="Name of the user.")]) -> None:
    """Set another password; open sessions end, and so does a lock."""
    from dashboards.accounts import AccountError

    try:
        _accounts(_settings()).set_password(name, _new_password())
    except AccountError as error:
        _fail(error, EXIT_USAGE)
    out.print(f"password of {name} changed")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT on the published snapshot.")],
    output: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 1_000,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds at most.")] = 60.0,
) -> None:
    """Ask the published snapshot in SQL, read-only."""
    from dashboards.data.sql import QueryError, query_sql

    if output not in ("table", "json", "csv"):
        _fail(f"--format {output!r}; use table, json or csv.", EXIT_USAGE)
    with _snapshot() as snapshot:
        try:
            frame = query_sql(snapshot, sql, max_rows=limit, timeout=timeout)
        except QueryError as error:
            _fail(error, EXIT_USAGE)
    if output == "csv":
        print(frame.write_csv(), end="")
    elif output == "json":
        _print_json(frame.to_dicts())
    else:
        _print_table(frame.to_dicts())


@app.command()
def metric(
    names: Annotated[list[str] | None, typer.Argument(help="Metrics.")] = None,
    by: Annotated[str | None, typer.Option(help="Dimensions to split by, separated by commas.")] = None,
    grain: Annotated[str | None, typer.Option(help="day, week, month, quarter or year.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Keep only these values: channel=phone,email (repeatable).")
    ] = None,
    unit: Annotated[list[str] | None, typer.Option(help="Organisation unit with all below it (repeatable).")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day (2026-01-01).")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List all metrics.")] = False,
    show_variants: Annotated[
        bool, typer.Option("--variants", help="All definitions of the family side by side: the definition atlas.")
    ] = False,
    explained: Annotated[
        str | None,
        typer.Option("--explain", help="A number from elsewhere (0.8113, 81.13%): which definition yields it."),
    ] = None,
    said_on: Annotated[
        str | None,
        typer.Option("--said-on", help="Answer from the snapshot that was published at the end of this day."),
    ] = None,
    known_on: Annotated[
        str | None,
        typer.Option(
            "--as-known-on",
            help="Compute anew from what was loaded by the end of this day, with the definitions of today.",
        ),
    ] = None,
    with_ranks: Annotated[
        bool, typer.Option("--rank", help="With --by: the places of a league table that the data allow.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compute metrics from the published snapshot."""
    from dashboards.data import metrics
    from dashboards.data.ranks import fair_ranks

    # Everything that can be refused without the data is refused first: what was known on a day may take minutes to compute.
    kept: dict[str, tuple[str, ...]] = {}
    for condition in where or []:
        name, sign, values = condition.partition("=")
        if not sign:
            _fail(f"--where {condition!r}; write it as dimension=value,value.", EXIT_USAGE)
        kept[name.strip()] = tuple(value.strip() for value in values.split(","))
    filters = metrics.Filters(start=_day(first, "--from"), end=_day(last, "--to"), units=tuple(unit or ()), where=kept)
    split = [name.strip() for name in by.split(",")] if by else []
    wants_atlas = show_variants or explained is not None
    if names and not list_all:
        if wants_atlas and (len(names) != 1 or by or grain):
            _fail("--variants and --explain take one family or metric, without --by and --grain.", EXIT_USAGE)
        if with_ranks and (wants_atlas or len(names) != 1 or not split or grain):
            _fail("--rank takes one metric with --by, without --grain, --variants and --explain.", EXIT_USAGE)
    days = (_day(said_on, "--said-on"), _day(known_on, "--as-known-on"))
    with _past_snapshot(*days) as (snapshot, source):
        if list_all or not names:
            found = [dataclasses.asdict(one) for one in metrics.catalogue(snapshot).values()]
            if as_json:
                _print_json(_with_source(found, source))
            else:
                _print_table(
                    [
                        {key: row[key] for key in ("name", "label_en", "label_zh", "unit", "formula", "family")}
                        for row in found
                    ]
                )
            return
        try:
            if wants_atlas:
                _print_atlas(snapshot, names[0], explained, filters, as_json, source)
                return
            rows = metrics.metric_frame(snapshot, names, by=split, grain=grain, filters=filters).to_dicts()
            if with_ranks:
                places = fair_ranks(metrics.catalogue(snapshot)[names[0]], rows)
                rows = [
                    row | {"best_place": at.best, "worst_place": at.worst} for row, at in zip(rows, places, strict=True)
                ]
                rows.sort(key=lambda row: (row["best_place"] is None, row["best_place"], row["worst_place"]))
        except metrics.MetricError as error:
            _fail(error, EXIT_USAGE)
    if as_json:
        _print_json(_with_source(rows, source))
    else:
        _print_table(rows)


def _with_source(rows: list[dict[str, Any]], source: dict[str, Any] | None) -> object:
    """The rows, and for a question about the past what they were answered from."""
    return rows if source is None else {"answered_from": source, "rows": rows}


def _print_atlas(
    snapshot: Snapshot,
    family: str,
    explained: str | None,
    filters: Filters,
    as_json: bool,
    source: dict[str, Any] | None,
) -> None:
    from dashboards.data import atlas

    found = atlas.variants(snapshot, family, filters)
    matches = [] if explained is None else atlas.explain(found, explained)
    rows: list[dict[str, Any]] = []
    for variant in [match.variant for match in matches] if explained is not None else found:
        value = variant.value
        row = {
            "metric": variant.metric.name, "default": variant.metric.is_default, "formula": variant.metric.formula,
            "value": value.value, "low": value.low, "high": value.high, "n": value.n, "gap": variant.gap,
            "vendors": "; ".join(f"{vendor}: {name}" for vendor, name in variant.metric.vendor_names.items()),
        }  # fmt: skip
        rows.append(row)
    for row, match in zip(rows, matches, strict=False):
        row |= {"difference": match.difference, "yields_it": match.is_equal}
    if as_json:
        facts = {"family": found[0].metric.family, "spread": atlas.spread(found), "explained": explained}
        _print_json(({} if source is None else {"answered_from": source}) | facts | {"variants": rows})
        return
    _print_table(rows)
    if explained is None:
        out.print(f"spread {atlas.spread(found)}")
        return
    equal = [match.variant.metric for match in matches if match.is_equal]
    for metric in equal:
        out.print(f"{explained} is {metric.name}: {metric.description_en} ({metric.formula})")
    if not equal:
        nearest = (
            f"; the nearest is {matches[0].variant.metric.name}, off by {matches[0].difference:+.6g}" if matches else ""
        )
        out.print(
            f"None of the {len(found)} definitions of {found[0].metric.family} yields {explained} over this slice{nearest}."
            " Compare the days, the units and the time zone of the other report first."
        )


@app.command()
def staffing(
    queue: Annotated[str, typer.Argument(help="Queue.")],
    first: Annotated[str, typer.Option("--from", help="First day (2026-01-01).")],
    last: Annotated[str, typer.Option("--to", help="Last day.")],
    service_level: Annotated[float | None, typer.Option(help="Share of calls to answer in time.")] = None,
    within: Annotated[float | None, typer.Option(help="Target wait in seconds.")] = None,
    definition: Annotated[
        str | None, typer.Option(help="abandons_bad, abandons_good, answered_only or early_ignored.")
    ] = None,
    model_name: Annotated[str | None, typer.Option("--model", help="erlang_a, erlang_b or erlang_c.")] = None,
    shrinkage: Annotated[
        float | None, typer.Option(help="Share of paid time that is not spent on the telephone.")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Every half hour, not the typical day.")] = False,
    as_json: Json = False,
) -> None:
    """Agents that a queue needed in each half hour, beside those who were rostered.

    What it is planned for stands in seeds/staffing_targets.csv, unless an option says otherwise.
    """
    from dashboards.data import queues
    from orchestration.modelling import staffing as model
    from orchestration.operations import staffing_targets

    start, end = _day(first, "--from"), _day(last, "--to")
    assert start is not None and end is not None
    try:
        target = staffing_targets.staffing_target(_settings().seeds_dir / staffing_targets.FILE_NAME, queue)
    except staffing_targets.StaffingTargetError as error:
        _fail(error, EXIT_USAGE)
    given = {
        "service_level": service_level, "within_seconds": within, "definition": definition, "model": model_name, "shrinkage": shrinkage,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    goal: dict[str, Any] = {name: getattr(target, name) for name in staffing_targets.COLUMNS if name != "queue"} | given
    with _snapshot() as snapshot:
        known = queues.queue_names(snapshot)
        if queue not in known:
            _fail(f"There is no queue {queue!r}; calls entered {', '.join(known) or 'none'}.", EXIT_USAGE)
        half_hours = queues.queue_half_hours(snapshot, queue, start, end, within_seconds=goal["within_seconds"])
    try:
        staffed = model.staff_queue(
            half_hours,
            queue,
            service_level=goal["service_level"],
            target_seconds=goal["within_seconds"],
            shrinkage=goal["shrinkage"],
            definition=goal["definition"],
            model=goal["model"],
        )
    except ValueError as error:
        _fail(error, EXIT_USAGE)
    frame = staffed if each else model.typical_day(staffed)
    source: dict[str, Any] = {
        "file": f"seeds/{staffing_targets.FILE_NAME}", "line": target.line, "queue": target.queue, "given": sorted(given),
    }  # fmt: skip
    if as_json:
        _print_json(
            {
                "queue": queue,
                "from": start,
                "to": end,
                "targets": goal,
                "targets_from": source,
                "rows": frame.to_dicts(),
            }
        )
        return
    words = (
        f"{goal['service_level']:.1%} within {goal['within_seconds']:g} s ({goal['definition']}), {goal['model']},"
        f" shrinkage {goal['shrinkage']:.0%}"
    )
    _print_table(frame.to_dicts(), title=f"{queue}, {start} to {end}: {words}")
    options = f"; on the command line: {', '.join(source['given'])}" if given else ""
    out.print(f"targets: {source['file']}, line {target.line} ({_escaped(target.queue)}){options}")


@app.command()
def waits(
    queue: Annotated[str, typer.Argument(help="Queue.")],
    first: Annotated[str, typer.Option("--from", help="First day (2026-01-01).")],
    last: Annotated[str, typer.Option("--to", help="Last day.")],
    quantile: Annotated[float, typer.Option(help="Share of callers who are to wait no longer than announced.")] = 0.9,
    by: Annotated[
        str, typer.Option(help="Classes of callers: customer_kind, call_type, product_line or org_unit_id.")
    ] = "customer_kind",
    source: Annotated[str | None, typer.Option(help="Only the calls of this source.")] = None,
    estimator: Annotated[
        str | None, typer.Option(help="Whose hours to print; default: the one of the lowest pinball loss.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the days drawn again for the intervals of fairness.")] = 7,
    as_json: Json = False,
) -> None:
    """What wait could have been announced to each caller of a queue, and how well it would have held, by class and hour."""
    import polars as pl

    from dashboards.data import queues
    from orchestration.modelling import waits as model

    start, end = _day(first, "--from"), _day(last, "--to")
    assert start is not None and end is not None
    if by not in queues.CALLER_CLASSES:
        _fail(f"--by {by!r}; use one of {', '.join(queues.CALLER_CLASSES)}.", EXIT_USAGE)
    with _snapshot() as snapshot:
        known = queues.queue_names(snapshot)
        if queue not in known:
            _fail(f"There is no queue {queue!r}; calls entered {', '.join(known) or 'none'}.", EXIT_USAGE)
        stays = queues.queue_waits(snapshot, queue, start, end, by=by, time_zone=_settings().time_zone, source=source)
    if not stays.calls.height:
        _fail(f"No call entered {queue} from {start} to {end} with a known wait.", EXIT_USAGE)
    try:
        # A line has the calls of one source: two exchanges with a queue of one name have two queues.
        lines = stays.calls.partition_by("source")
        told = pl.concat(model.announce(line, quantile=quantile) for line in lines)
        best = model.best_estimator(told, quantile=quantile) if len(lines) == 1 else None
        if stays.calls["announced_seconds"].count():
            told = pl.concat([told, model.exchange_announcements(stays.calls)])
        shown = estimator or best or model.ESTIMATORS[0]
        if shown not in told["estimator"]:
            _fail(
                f"--estimator {shown!r}; there are {', '.join(told['estimator'].unique(maintain_order=True))}.",
                EXIT_USAGE,
            )
        classes = model.score(told, quantile=quantile, by="all").drop("hour")
        hours = model.score(told, quantile=quantile)
        fair = model.fairness(told, seed=seed, least_calls=50)
    except ValueError as error:
        _fail(error, EXIT_USAGE)
    if as_json:
        facts = {
            "queue": queue, "from": start, "to": end, "by": by, "source": source, "quantile": quantile, "seed": seed,
            "time_zone": stays.time_zone, "calls": stays.calls.height, "unknown": stays.unknown, "best_estimator": best,
        }  # fmt: skip
        _print_json(facts | {"classes": classes.to_dicts(), "hours": hours.to_dicts(), "fairness": fair.to_dicts()})
        return
    _print_table(
        classes.to_dicts(),
        title=f"{queue}, {start} to {end}: {stays.calls.height:,} stays in the queue, {quantile:.0%} to wait no longer than announced",
    )
    how = "" if estimator or best is None else ", the lowest pinball loss over the calls to which all announced"
    _print_table(
        hours.filter(pl.col("estimator") == shown).drop("estimator").to_dicts(),
        title=f"by hour ({stays.time_zone}): {shown}{how}",
    )
    _print_table(fair.to_dicts(), title=f"fairness: spread of coverage over classes of at least 50 calls (seed {seed})")
    if stays.unknown:
        out.print(f"left out: {stays.unknown:,} stays whose wait or end is not known")


@app.command()
def status(as_json: Json = False) -> None:
    """Per source and feed: received, used, superseded, quarantined; last runs; the published version."""
    from dashboards.data.snapshot import NoSnapshot, SnapshotStore, read_status
    from orchestration import runs
    from orchestration.locking import holder
    from orchestration.serving import publish

    settings = _settings()
    facts: dict[str, Any] = {
        "home": str(settings.home),
        "published": publish.published_version(settings),
        "versions": publish.versions(settings),
        "in_use_by": holder(settings),
        "last_refresh": read_status(settings.serving),
        "runs": [{key: run.get(key) for key in ("run_id", "started_at", "outcome", "stage", "seconds", "rows_loaded", "message")} for run in runs.recent_runs(settings, 5)],
    }  # fmt: skip
    store = SnapshotStore(settings.serving)
    try:
        snapshot = store.current()
        facts["feeds"] = snapshot.rows(
            "select source, feed, cast(sum(received) as bigint) as received, cast(sum(used) as bigint) as used, cast(sum(superseded) as bigint) as superseded,"
            " cast(sum(quarantined) as bigint) as quarantined, bool_and(is_balanced) as balanced, max(loaded_at) as last_load"
            " from fct_load_accounting group by source, feed order by source, feed"
        )
        facts["reasons"] = snapshot.rows(
            "select source, feed, reason, count(*) as row_count from (select source, feed, unnest(string_split(reasons, ', ')) as reason from fct_quarantined_rows)"
            " group by all order by row_count desc, source, feed, reason"
        )
        facts["freshness"] = snapshot.rows(
            "select source, newest_delivery, last_loaded_at, files_loaded, files_refused, rows_loaded from dim_sources order by source"
        )
        facts["refused"] = snapshot.rows(
            "select source, file_name, message from fct_loads where file_status = 'refused' order by file_id"
        )
    except NoSnapshot as error:
        facts["not_ready"] = str(error)
    finally:
        store.close()
    if as_json:
        _print_json(facts)
        return
    out.print(f"home {facts['home']}\npublished {facts['published'] or 'nothing yet'} ({len(facts['versions'])} kept)")
    if facts["in_use_by"]:
        out.print(f"in use by {facts['in_use_by']}")
    if "not_ready" in facts:
        out.print(facts["not_ready"])
    for title, name in (
        ("feeds", "feeds"),
        ("quarantined, by reason", "reasons"),
        ("sources", "freshness"),
        ("refused files", "refused"),
        ("last runs", "runs"),
    ):
        if name in facts:
            _print_table(facts[name], title, 40)


@app.command()
def rollback(
    version: Annotated[str | None, typer.Argument(help="Version; default: the one before the published one.")] = None,
    as_json: Json = False,
) -> None:
    """Publish an earlier snapshot again."""
    from orchestration.locking import HomeLocked, home_lock
    from orchestration.serving import publish

    settings = _settings()
    try:
        with home_lock(settings, "rollback"):
            now = publish.rollback(settings, version)
    except HomeLocked as error:
        _fail(error, EXIT_LOCKED)
    except publish.PublishError as error:
        _fail(error, EXIT_USAGE)
    if as_json:
        _print_json({"published": now})
    else:
        out.print(f"published {now}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Look for trouble: space, locks, configuration, versions; say what to do."""
    from orchestration.operations.doctor import examine

    findings = examine(_settings())
    if as_json:
        _print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "error": "[red]error[/]"}[finding.level]
            out.print(f"{mark} {finding.subject}: {_escaped(finding.message)}")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="File to write (…/csatlas-raw.duckdb).")], as_json: Json = False
) -> None:
    """Copy the raw database with its ledger, and the records of the draws, consistent and checked."""
    from orchestration.operations.backup import BackupError, back_up

    _operate(lambda settings: back_up(settings, target), BackupError, "backup", as_json)


@app.command()
def restore(
    copy: Annotated[Path, typer.Argument(help="Backup to take.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the raw database that is there (it is kept beside it).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a backup of the raw database and of the draws in place; the next refresh rebuilds the warehouse from it."""
    from orchestration.operations.backup import BackupError
    from orchestration.operations.backup import restore as put_back

    _operate(lambda settings: put_back(settings, copy, force=force), BackupError, "restore", as_json)


def _operate(action: Callable[[Settings], Any], refused: type[Exception], purpose: str, as_json: bool) -> None:
    from orchestration.locking import HomeLocked, home_lock

    settings = _settings()
    try:
        with home_lock(settings, purpose):
            facts = action(settings)
    except HomeLocked as error:
        _fail(error, EXIT_LOCKED)
    except refused as error:
        _fail(error, EXIT_USAGE)
    if as_json:
        _print_json(facts)
    else:
        out.print(
            f"{purpose}: {facts.path} ({facts.size_bytes:,} bytes, {facts.files:,} files, {facts.rows:,} rows; {facts.draws:,} files of draws)"
        )


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def dbt(context: typer.Context) -> None:
    """Run dbt with the right folders, variables and limits: `csatlas dbt build --select fct_calls`."""
    from orchestration import warehouse
    from orchestration.locking import HomeLocked, home_lock

    settings = _settings()
    if not context.args:
        _fail("give a dbt command, such as `csatlas dbt ls`.", EXIT_USAGE)
    try:
        with home_lock(settings, f"dbt {context.args[0]}"):
            done = subprocess.run(
                warehouse.dbt_command(*context.args, *warehouse.dbt_flags(settings)),
                env=warehouse.dbt_environment(settings),
                check=False,
            )
    except HomeLocked as error:
        _fail(error, EXIT_LOCKED)
    raise typer.Exit(done.returncode)


@source_app.command("new")
def source_new(
    name: Annotated[str, typer.Argument(help="Name of the new source (lower case, digits, underscores).")],
    feed: Annotated[str, typer.Option(help="Feed that the sample supplies (docs/feeds.md lists them).")],
    sample: Annotated[Path, typer.Option(help="A file as the source sends it.")],
    as_json: Json = False,
) -> None:
    """Write a declaration and a staging model for a new source from a sample file."""
    from orchestration.sources.new_source import NewSourceError, create_source

    try:
        created = create_source(name, feed, sample, PROJECT_ROOT)
    except NewSourceError as error:
        _fail(error, EXIT_USAGE)
    if as_json:
        _print_json(created)
        return
    for path in created.paths:
        out.print(f"wrote {path}")
    for note in created.notes:
        out.print(f"[yellow]look at this:[/] {_escaped(note)}")


@draw_app.command("quality")
def draw_quality(
    month: Annotated[str, typer.Option("--month", help="Month whose contacts are drawn (2026-10).")],
    seed: Annotated[int | None, typer.Option(help="Seed of the draw; taken at random if none is given.")] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="Write the drawn contacts to this CSV file.")] = None,
    as_json: Json = False,
) -> None:
    """Draw the contacts of a month that are to be reviewed, so that each agent reaches the target of seeds/quality_coverage.csv.

    Seed, snapshot, candidates and result are recorded in the home; `csatlas draw check` compares them later.
    """
    from orchestration.operations import draws, quality_draws

    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        _fail(f"--month: {month!r} is no month; write it as 2026-10.", EXIT_USAGE)
    with _snapshot() as snapshot:
        try:
            draw = quality_draws.draw_quality(_settings(), snapshot, snapshot.version, first, seed)
        except draws.DrawError as error:
            _fail(error, EXIT_USAGE)
    if out_file is not None:
        quality_draws.write_file(draw, out_file)
    if as_json:
        _print_json(dataclasses.asdict(draw))
        return
    _print_table(draw.agents, title=f"{draw.draw_id}: {len(draw.contacts)} contacts of {len(draw.agents)} agents")
    if out_file is None:
        _print_table(draw.contacts, title="to be reviewed")
    else:
        out.print(f"wrote {_escaped(out_file)}")
    out.print(f"seed {draw.seed}, snapshot {draw.snapshot_version}; recorded in {draws.folder_of(_settings())}")
    if draw.earlier_draws:
        out.print(f"[yellow]look at this:[/] the month was drawn {draw.earlier_draws} times before")


@draw_app.command("winback")
def draw_winback(
    size: Annotated[int, typer.Option("--size", min=1, help="Customers to draw, those held out included.")],
    control_share: Annotated[
        float, typer.Option("--control-share", min=0.0, max=0.9, help="Share of them that is held out.")
    ] = 0.2,
    fee_class: Annotated[str | None, typer.Option("--fee-class", help="Only lost customers of this fee class.")] = None,
    gone_class: Annotated[
        str | None, typer.Option("--gone-class", help="Only those lost for so long (1-90, 91-365, 366+).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the draw; taken at random if none is given.")] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="Write the drawn customers to this CSV file.")] = None,
    as_json: Json = False,
) -> None:
    """Draw lost customers to be asked to come back, and those of them who are held out so that the effect can be told.

    Seed, snapshot, candidates and result are recorded in the home; `csatlas draw check` compares them later.
    """
    from orchestration.operations import draws, winback_draws

    with _snapshot() as snapshot:
        try:
            draw = winback_draws.draw_winback(
                _settings(), snapshot, snapshot.version, size, control_share, seed, fee_class, gone_class
            )
        except draws.DrawError as error:
            _fail(error, EXIT_USAGE)
    if out_file is not None:
        winback_draws.write_file(draw, out_file)
    if as_json:
        _print_json(dataclasses.asdict(draw))
        return
    _print_table(draw.classes, title=f"{draw.draw_id}: {len(draw.customers)} customers, as of {draw.day}")
    if out_file is None:
        _print_table(draw.customers, title="to be asked, or held out")
    else:
        out.print(f"wrote {_escaped(out_file)}")
    out.print(f"seed {draw.seed}, snapshot {draw.snapshot_version}; recorded in {draws.folder_of(_settings())}")
    if draw.earlier_draws:
        out.print(f"[yellow]look at this:[/] {draw.earlier_draws} draws were made of the same day of data before")


@draw_app.command("recheck")
def draw_recheck(
    month: Annotated[str, typer.Option("--month", help="Month in which the complaints were closed (2026-10).")],
    per_unit: Annotated[int, typer.Option(min=1, max=10_000, help="Cases to check in each unit.")] = 5,
    seed: Annotated[int | None, typer.Option(help="Seed of the draw; taken at random if none is given.")] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help="Write the drawn cases to this CSV file.")] = None,
    as_json: Json = False,
) -> None:
    """Draw closed complaints of a month whose customers are to be asked again whether the fix holds, so many in each unit.

    Seed, snapshot, candidates and result are recorded in the home; `csatlas draw check` compares them later.
    """
    from orchestration.operations import draws, recheck_draws

    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        _fail(f"--month: {month!r} is no month; write it as 2026-10.", EXIT_USAGE)
    with _snapshot() as snapshot:
        try:
            draw = recheck_draws.draw_recheck(_settings(), snapshot, snapshot.version, first, per_unit, seed)
        except draws.DrawError as error:
            _fail(error, EXIT_USAGE)
    if out_file is not None:
        recheck_draws.write_file(draw, out_file)
    if as_json:
        _print_json(dataclasses.asdict(draw))
        return
    _print_table(
        draw.agents, title=f"{draw.draw_id}: {len(draw.contacts)} closed complaints of {len(draw.agents)} units"
    )
    if out_file is None:
        _print_table(draw.contacts, title="to be checked again")
    else:
        out.print(f"wrote {_escaped(out_file)}")
    out.print(f"seed {draw.seed}, snapshot {draw.snapshot_version}; recorded in {draws.folder_of(_settings())}")
    if draw.earlier_draws:
        out.print(f"[yellow]look at this:[/] the month was drawn {draw.earlier_draws} times before")


@causes_app.command("review")
def causes_review(
    accepted: Annotated[
        int | None, typer.Option("--accept", min=1, help="Number of the candidate to add to the taxonomy.")
    ] = None,
    code: Annotated[str, typer.Option(help="Code of the new cause, such as us.system.app_release.")] = "",
    parent: Annotated[str, typer.Option(help="Code that it stands below; its owner is the new one's too.")] = "",
    name_en: Annotated[str, typer.Option("--name-en", help="Its English name.")] = "",
    name_zh: Annotated[str, typer.Option("--name-zh", help="Its Chinese name.")] = "",
    cause_type: Annotated[str, typer.Option("--type", help="value, system or employee.")] = "",
    is_people: Annotated[bool, typer.Option("--people", help="People made it.")] = False,
    resolution_codes: Annotated[
        str, typer.Option("--codes", help="Agents' resolution codes that mean it, separated by semicolons.")
    ] = "",
    as_json: Json = False,
) -> None:
    """List candidates of new causes among the unknown complaints, or add one of them to the taxonomy (`seeds/cause_taxonomy.csv`).

    The next refresh gives the cause; the classifier learns it from the cases that agents close with its codes.
    """
    from orchestration.operations import cause_taxonomy

    with _snapshot() as snapshot:
        try:
            found = cause_taxonomy.candidates_of(snapshot)
        except cause_taxonomy.TaxonomyError as error:
            _fail(error, EXIT_NOT_READY)
    if accepted is None:
        if as_json:
            _print_json(found)
        else:
            _print_table(found, title="candidates of new causes")
        return
    chosen = next((line for line in found if line["candidate"] == accepted), None)
    if chosen is None:
        _fail(f"--accept {accepted}: there are {len(found)} candidates.", EXIT_USAGE)
    path = cause_taxonomy.path_of(_settings())
    try:
        line = cause_taxonomy.accept(
            path,
            code=code,
            parent=parent,
            name_en=name_en,
            name_zh=name_zh,
            cause_type=cause_type,
            is_people=is_people,
            resolution_codes=resolution_codes,
            example_en=chosen["words_en"] or "",
            example_zh=chosen["words_zh"] or "",
        )
    except cause_taxonomy.TaxonomyError as error:
        _fail(error, EXIT_USAGE)
    if as_json:
        _print_json(line)
        return
    out.print(
        f"added {_escaped(line['code'])} below {_escaped(line['parent'])} to {_escaped(path)}; run `csatlas refresh`"
    )


@draw_app.command("check")
def draw_check(
    file: Annotated[Path, typer.Argument(help="The CSV file of a draw, or its record (.json) in the home.")],
    as_json: Json = False,
) -> None:
    """Make a recorded draw again from its seed and candidates, and compare it with the record, the file and the snapshot."""
    from orchestration.operations import draws, quality_draws, recheck_draws, winback_draws

    try:
        found = draws.check_draw(_settings(), [quality_draws.LAYOUT, recheck_draws.RECHECK, winback_draws.LAYOUT], file)
    except draws.DrawError as error:
        _fail(error, EXIT_USAGE)
    if as_json:
        _print_json(found)
    else:
        snapshot = {
            "same": "is still there and has the same candidates",
            "different": "has other candidates",
            "gone": "is no longer kept",
        }
        out.print(
            f"{found.draw_id}: {found.drawn} {found.noun}, seed {found.seed}, drawn {found.drawn_at};"
            f" snapshot {found.snapshot_version} {snapshot[found.snapshot]}; {found.earlier_draws} draws of {found.period} before it"
        )
        for fault in found.faults:
            out.print(f"[bold red]wrong:[/] {_escaped(fault)}")
        if not found.faults:
            out.print("the draw is what its seed gives")
    if found.faults:
        raise typer.Exit(EXIT_FAILED)


@show_app.command("customer")
def show_customer(
    wanted: Annotated[
        str, typer.Argument(metavar="KEY", help="Customer key, its beginning, or source:id (crm:K0000114).")
    ],
    lang: Annotated[str, typer.Option(help="en or zh.")] = "en",
    entries: Annotated[int, typer.Option(min=0, help="Entries of the history at most, the newest.")] = 40,
    since: Annotated[str | None, typer.Option(help="No entries before this day (2026-01-01).")] = None,
    part: Annotated[list[str] | None, typer.Option(help="Only these parts: tickets, calls, … (repeatable).")] = None,
    as_json: Json = False,
) -> None:
    """The history file of one customer on one page: what to know first, then everything that happened. Without names and numbers."""
    from dashboards.data import customers
    from dashboards.i18n import LANGUAGES, translator

    if lang not in LANGUAGES:
        _fail(f"--lang {lang!r}; there are {', '.join(LANGUAGES)}.", EXIT_USAGE)
    first, t = _day(since, "--since"), translator(lang)
    with _snapshot() as snapshot:
        try:
            key = customers.find_customer(snapshot, wanted)
            file = customers.customer_file(snapshot, key, limit=entries, since=first, parts=part)
        except customers.CustomerError as error:
            _fail(error, EXIT_USAGE)
        words = customers.Words(snapshot, t)
        said = customers.sentences(file, words, t)
        if as_json:
            _print_json(file.as_dict() | {"sentences": said})
            return
        who = file.profile
        out.print(
            f"[bold]{_escaped(t('customer.title', customer=key))}[/] · {t('customer.as_of', day=t.date(file.as_of))}"
        )
        unit = words("org_unit_id", who["org_unit_id"])
        out.print(
            _escaped(
                t(
                    "customer.profile", kind=words("customer_kind", who["customer_kind"]), unit=unit,
                    since=t.date(who["customer_since"]), sources=t.integer(who["source_count"]),
                )
            )
        )  # fmt: skip
        if who["is_gone"]:
            out.print(t("customer.gone"))
        for sentence in said:
            out.print(f"  • {_escaped(sentence)}")
        if file.missing:
            err.print(
                t("customer.missing", parts=t("customer.and").join(t(f"customer.part.{name}") for name in file.missing))
            )
        out.print()
        out.print(
            t("customer.shown", shown=t.integer(len(file.entries)), total=t.integer(file.total))
            if file.total
            else t("customer.nothing")
        )
        for entry in file.entries:
            at = f"{entry['happened_at']:%Y-%m-%d}" + (
                "      " if entry["is_day"] else f"{entry['happened_at']: %H:%M}"
            )
            mark = f" [bold]({t('customer.open')})[/]" if entry["is_open"] else ""
            out.print(f"{at}  {_escaped(customers.entry_words(entry, words, t))}{mark}", soft_wrap=True)


@show_app.command("cause")
def show_cause(
    wanted: Annotated[
        str,
        typer.Argument(metavar="CODE", help="Code of a cause, its last part or its name (us.network.outage, outage)."),
    ],
    lang: Annotated[str, typer.Option(help="en or zh.")] = "en",
    first_day: Annotated[
        str | None, typer.Option("--from", help="First day (2026-01-01); default: a year back.")
    ] = None,
    last_day: Annotated[str | None, typer.Option("--to", help="Last day; default: the last of the data.")] = None,
    unit: Annotated[list[str] | None, typer.Option(help="Only these units and those below them (repeatable).")] = None,
    cases: Annotated[int, typer.Option(min=0, help="Newest cases at most.")] = 5,
    as_json: Json = False,
) -> None:
    """The profile of one root cause on one page: what it costs, its course, where it gathers, its words and cases, what was done. Without texts."""
    from dashboards.data import causes
    from dashboards.data.customers import Words
    from dashboards.data.metrics import Filters
    from dashboards.i18n import LANGUAGES, translator

    if lang not in LANGUAGES:
        _fail(f"--lang {lang!r}; there are {', '.join(LANGUAGES)}.", EXIT_USAGE)
    first, last, t = _day(first_day, "--from"), _day(last_day, "--to"), translator(lang)
    with _snapshot() as snapshot:
        try:
            code = causes.find_cause(snapshot, wanted)
        except causes.CauseError as error:
            _fail(error, EXIT_USAGE)
        last = last or causes.last_day(snapshot)
        first = first or last - timedelta(days=364)
        found = causes.profile(snapshot, code, Filters(start=first, end=last, units=tuple(unit or ())), cases=cases)
        if as_json:
            _print_json(found | {"from": first, "to": last})
            return
        metrics = causes.cost_metrics(snapshot)
        for line in causes.profile_lines(found, metrics, Words(snapshot, t), t, t.period(first, last)):
            out.print(_escaped(line), soft_wrap=True, emoji=False)


def main() -> None:
    """Entry of the `csatlas` script: a disk or folder that refuses is told in words, like everything else."""
    try:
        app()
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise  # not from the operating system
        where = "" if error.filename is None else f" {error.filename}:"
        err.print(
            f"[bold red]csatlas:[/]{_escaped(where)} {_escaped(error.strerror or error)}. All state lies below CSATLAS_HOME: it must be a folder that"
            " this user may write to, on a disk with room. `csatlas doctor` looks at it."
        )
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
