"""Publication: one atomic switch of a symbolic link; earlier versions stay for rollback.

Belongs here: `current`, retention, rollback, `status.json`. Does not belong here: building and judging a snapshot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.settings import Settings
from orchestration.sources.rawstore import private_folder

CURRENT = "current"
LOG = "publications.jsonl"


class PublishError(RuntimeError):
    """A version cannot be published; the message says why and which versions there are."""


def versions(settings: Settings) -> list[str]:
    """Versions in the serving folder, oldest first."""
    return sorted(path.stem.removeprefix("csatlas-") for path in settings.serving.glob("csatlas-*.duckdb"))


def published_version(settings: Settings) -> str | None:
    """Version that `current` names, or None."""
    link = settings.serving / CURRENT
    return link.readlink().name.removeprefix("csatlas-").removesuffix(".duckdb") if link.is_symlink() else None


def publish(settings: Settings, version: str) -> None:
    """Make a version the published one, by one rename; then remove versions beyond `keep_snapshots`.

    Raises:
        PublishError: there is no such version.
    """
    target = settings.serving / f"csatlas-{version}.duckdb"
    if not target.exists():
        raise PublishError(f"There is no version {version!r}; there are {', '.join(versions(settings)) or 'none'}.")
    fresh = settings.serving / ".current-new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    os.replace(fresh, settings.serving / CURRENT)
    _note(settings, version)
    _retain(settings, version)


def _note(settings: Settings, version: str) -> None:
    """Add the switch to the log of publications."""
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="microseconds"), "version": version})
    descriptor = os.open(settings.serving / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as log:
        # On a line of its own also after a line that a kill cut short.
        log.write(f"\n{line}\n")


def publications(settings: Settings) -> list[tuple[datetime, str]]:
    """When (UTC) which version became the published one, oldest first.

    A version that the log does not name (from before the log, or killed before it was noted) counts from the moment its building began, which is its name.
    """
    found = []
    path = settings.serving / LOG
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # an empty line, or one that a kill cut short; its version counts by its name
        found.append((datetime.fromisoformat(entry["at"]), str(entry["version"])))
    noted = {version for _, version in found}
    for version in versions(settings):
        if version not in noted:
            found.append((datetime.strptime(version, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC), version))
    return sorted(found, key=lambda entry: entry[0])


def version_said_on(settings: Settings, day: date) -> str:
    """Version that was published at the end of a day in the organisation's time zone; on the current day, the one published now.

    Raises:
        PublishError: the day has not begun, nothing was published by then, or the version was removed since; the message says which days there are.
    """
    zone = ZoneInfo(settings.time_zone)
    if day > datetime.now(zone).date():
        raise PublishError(f"{day} has not begun in {settings.time_zone}.")
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    all_of_them = publications(settings)
    shown = [version for at, version in all_of_them if at < end]
    kept = versions(settings)
    if shown and shown[-1] in kept:
        return shown[-1]
    moments = ", ".join(f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at, version in all_of_them if version in kept)
    why = f"the version of then, {shown[-1]}, was removed since" if shown else "nothing was published by then"
    raise PublishError(
        f"What was said on {day} is not known: {why}. The versions that are kept were published at {moments or 'no time'}; CSATLAS_KEEP_SNAPSHOTS says how many are."
    )


def _retain(settings: Settings, published: str) -> None:
    """Keep the newest versions and always the published one. Whoever still reads a removed file keeps it until they close it."""
    kept = {published, *versions(settings)[-settings.keep_snapshots :]}
    for version in versions(settings):
        if version not in kept:
            (settings.serving / f"csatlas-{version}.duckdb").unlink()


def rollback(settings: Settings, version: str | None = None) -> str:
    """Publish an earlier version: the given one, or the one before the published one. Returns the version.

    Raises:
        PublishError: there is nothing earlier.
    """
    found = versions(settings)
    now = published_version(settings)
    if version is None:
        earlier = [one for one in found if now is None or one < now]
        if not earlier:
            raise PublishError(f"There is no version before {now}; there are {', '.join(found) or 'none'}.")
        version = earlier[-1]
    publish(settings, version)
    return version


def write_status(settings: Settings, facts: Mapping[str, Any]) -> None:
    """Write the outcome of the last refresh for the readers, atomically.

    Args:
        facts: outcome (published | failed), run_id, reasons (list of sentences), version (published one or null).
    """
    private_folder(settings.serving)
    fresh = settings.serving / ".status-new.json"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    fresh.write_text(json.dumps({"at": now, **facts}, ensure_ascii=False, indent=1), encoding="utf-8")
    fresh.chmod(0o600)
    os.replace(fresh, settings.serving / "status.json")


def read_status(path: Path) -> dict[str, Any]:
    """Content of a `status.json`, empty before the first refresh."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
