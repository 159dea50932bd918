"""Publication: one atomic switch of a symbolic link; earlier versions stay for rollback.

Belongs here: `current`, retention, rollback, `status.json`. Does not belong here: building and judging a snapshot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.settings import Settings
from orchestration.sources.rawstore import private_folder

CURRENT = "current"


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
    _retain(settings, version)


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
