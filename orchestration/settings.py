"""Settings of one csatlas home: the only module that reads the environment.

Belongs here: names, defaults, bounds and meaning of every `CSATLAS_*` variable, and the paths below a home.
Does not belong here: anything that opens a file or a database.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

PROJECT_ROOT = Path(__file__).resolve().parents[1]
STORAGE_VERSION = "v1.4.0"
"""Oldest DuckDB that reads our database files. DuckDB writes for 1.0 unless told otherwise: text then costs half as much again to write."""


class SettingsError(ValueError):
    """A `CSATLAS_*` variable holds a value that cannot be used; the message names it and says what is accepted."""


@dataclass(frozen=True)
class Settings:
    """Everything that may differ between two installations.

    Attributes:
        home: folder of all state (inbox, databases, snapshots, locks).
        sources: enabled sources, or None for those of the `sources` var in dbt_project.yml.
        keep_snapshots: published snapshots kept for rollback (at least two).
        host: address the dashboards listen on.
        port: TCP port the dashboards listen on.
        workers: web server processes.
        threads: threads DuckDB may use.
        memory_limit: memory DuckDB may use, as DuckDB writes it ("4GB").
        schedule: cron expression of the nightly refresh.
        time_zone: the organisation's time zone: the schedule is read in it, and units that name none have their days in it.
        chromium: program that prints reports as PDF (a name in PATH or a path), or None for the first that is found.
        report_schedule: cron expression of the delivery of reports by e-mail.
        smtp_host: mail server that reports are given to, or None.
        smtp_port: TCP port of the mail server.
        smtp_security: starttls, tls (from the first byte) or none (a server on this machine only).
        smtp_user: name to sign in to the mail server with, or None; the password is `smtp_password()`.
        smtp_from: address that reports come from.
        smtp_ca: file of certificates to trust instead of the system's, or None.
    """

    home: Path
    sources: tuple[str, ...] | None = None
    keep_snapshots: int = 5
    host: str = "127.0.0.1"
    port: int = 8050
    workers: int = 2
    threads: int = 2
    memory_limit: str = "6GB"
    schedule: str = "30 2 * * *"
    time_zone: str = "Asia/Shanghai"
    chromium: str | None = None
    report_schedule: str = "0 7 * * *"
    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_security: str = "starttls"
    smtp_user: str | None = None
    smtp_from: str = ""
    smtp_ca: str | None = None

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def raw_path(self) -> Path:
        return self.home / "raw.duckdb"

    @property
    def warehouse_path(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def rejects(self) -> Path:
        return self.home / "rejects"

    @property
    def serving(self) -> Path:
        return self.home / "serving"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def lock_path(self) -> Path:
        return self.home / "run.lock"

    @property
    def dbt_target(self) -> Path:
        return self.home / "dbt_target"

    @property
    def dbt_project_dir(self) -> Path:
        return PROJECT_ROOT / "dbt_project"

    @property
    def seeds_dir(self) -> Path:
        return PROJECT_ROOT / "seeds"


def _at_least(low: int, high: int) -> Callable[[str, str], int]:
    def parse(name: str, text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise SettingsError(f"{name}={text!r} is not a whole number; give one from {low} to {high}.") from None
        if not low <= value <= high:
            raise SettingsError(f"{name}={value} is out of bounds; give a whole number from {low} to {high}.")
        return value

    return parse


def _text(name: str, text: str) -> str:
    if not text.strip():
        raise SettingsError(f"{name} is empty; unset it to get the default.")
    return text.strip()


def _names(name: str, text: str) -> tuple[str, ...] | None:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    bad = [part for part in found if not part.replace("_", "").isalnum() or not part.isascii()]
    if bad:
        raise SettingsError(f"{name}: {bad[0]!r} is not a source name; use letters, digits and underscores.")
    return found or None


def _home(name: str, text: str) -> Path:
    path = Path(_text(name, text)).expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise SettingsError(f"{name}: {path} is a file; give a folder, which is made if it is not there.")
    return path


def _memory(name: str, text: str) -> str:
    if not re.fullmatch(r"\d*[1-9]\d*(\.\d+)?\s*([KMGT]i?B)", text.strip(), re.IGNORECASE):
        raise SettingsError(f"{name}={text!r} is no size; write a number with MB, GB or TB, such as 6GB.")
    return text.strip()


def _zone(name: str, text: str) -> str:
    try:
        return ZoneInfo(_text(name, text)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"{name}={text!r} is no time zone; write an IANA name such as Asia/Shanghai.") from None


def _security(name: str, text: str) -> str:
    if text.strip().lower() not in ("starttls", "tls", "none"):
        raise SettingsError(f"{name}={text!r}; write starttls, tls, or none for a server on this machine.")
    return text.strip().lower()


_PARSERS: dict[str, Callable[[str, str], object]] = {
    "home": _home,
    "sources": _names,
    "keep_snapshots": _at_least(2, 1000),
    "host": _text,
    "port": _at_least(1, 65535),
    "workers": _at_least(1, 64),
    "threads": _at_least(1, 256),
    "memory_limit": _memory,
    "schedule": _text,
    "time_zone": _zone,
    "chromium": _text,
    "report_schedule": _text,
    "smtp_host": _text,
    "smtp_port": _at_least(1, 65535),
    "smtp_security": _security,
    "smtp_user": _text,
    "smtp_from": _text,
    "smtp_ca": _text,
}


def smtp_password(env: Mapping[str, str] | None = None) -> str | None:
    """Password for the mail server (`CSATLAS_SMTP_PASSWORD`). Not a field of the settings, so that it is in nothing that prints them."""
    return (os.environ if env is None else env).get("CSATLAS_SMTP_PASSWORD") or None


def variable_names() -> list[str]:
    """Names of all environment variables that are read, in the order of the fields."""
    return [f"CSATLAS_{field.name.upper()}" for field in fields(Settings)]


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `env` (default: the process environment).

    Raises:
        SettingsError: a variable is set to something that cannot be used.
    """
    environment = os.environ if env is None else env
    values: dict[str, object] = {"home": (Path.cwd() / "var").resolve()}
    for field in fields(Settings):
        name = f"CSATLAS_{field.name.upper()}"
        if environment.get(name):
            values[field.name] = _PARSERS[field.name](name, environment[name])
    return Settings(**values)  # type: ignore[arg-type]
