"""Draws cannot be made again from the raw data: they go into the backup and come back from it."""

from __future__ import annotations

import stat
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from orchestration.operations import draws, winback_draws
from orchestration.operations.backup import BackupError, back_up, restore
from orchestration.settings import Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox

CANDIDATES = pl.DataFrame(
    [(f"C{n}", "U1", "person", "low", "1-90") for n in range(20)], schema=winback_draws.CANDIDATES, orient="row"
)


def _home(folder: Path) -> Settings:
    """A home with an empty raw database."""
    settings = Settings(home=folder)
    (folder / "inbox").mkdir(parents=True)
    load_inbox(settings, load_declarations(["crm"]), "load-1")
    return settings


def _record(settings: Settings, seed: int) -> str:
    drawn = winback_draws.draw_customers(CANDIDATES, date(2026, 1, 31), 5, 0.2, seed)
    draw_id = f"winback-2026-01-31-{seed}"
    record = {
        "draw_id": draw_id, "day": date(2026, 1, 31), "seed": seed, "size": 5, "control_share": 0.2, "fee_class": None, "gone_class": None,
        "snapshot_version": "gone", "drawn_at": datetime(2026, 2, 1, tzinfo=UTC), "method": winback_draws.METHOD,
        "earlier_draws": draws.earlier_draws(settings, "winback-2026-01-31"),
        "candidates_digest": draws.digest(winback_draws.LAYOUT, CANDIDATES), "customers": drawn.to_dicts(),
    }  # fmt: skip
    draws.record_draw(settings, draw_id, record, CANDIDATES)
    return draw_id


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_draws_are_in_the_backup_and_come_back(tmp_path: Path) -> None:
    settings = _home(tmp_path / "home")
    name = _record(settings, 1)
    made = back_up(settings, tmp_path / "copy.duckdb")
    assert made.draws == 2
    assert stat.S_IMODE((tmp_path / "copy.duckdb.draws.zip").stat().st_mode) == 0o600
    fresh = Settings(home=tmp_path / "fresh")
    assert restore(fresh, tmp_path / "copy.duckdb").draws == 2
    assert _contents(draws.folder_of(fresh)) == _contents(draws.folder_of(settings))
    assert stat.S_IMODE(draws.folder_of(fresh).stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in draws.folder_of(fresh).iterdir()} == {0o600}
    checked = draws.check_draw(fresh, [winback_draws.LAYOUT], draws.folder_of(fresh) / f"{name}.json")
    assert (checked.faults, checked.drawn, checked.snapshot) == ([], 5, "gone")


def test_draws_of_the_home_are_kept_beside(tmp_path: Path) -> None:
    settings = _home(tmp_path / "home")
    _record(settings, 1)
    back_up(settings, tmp_path / "copy.duckdb")
    _record(settings, 2)
    before = _contents(draws.folder_of(settings))
    settings.raw_path.unlink()
    with pytest.raises(BackupError, match="has draws"):
        restore(settings, tmp_path / "copy.duckdb")
    assert _contents(draws.folder_of(settings)) == before and not settings.raw_path.exists()
    restore(settings, tmp_path / "copy.duckdb", force=True)
    assert len(_contents(draws.folder_of(settings))) == 2
    (kept,) = settings.home.glob("draws-before-restore-*")
    assert _contents(kept) == before


def test_a_changed_or_missing_archive_is_refused(tmp_path: Path) -> None:
    settings = _home(tmp_path / "home")
    _record(settings, 1)
    back_up(settings, tmp_path / "copy.duckdb")
    archive = tmp_path / "copy.duckdb.draws.zip"
    honest = archive.read_bytes()
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr("../outside.json", "{}")
    with pytest.raises(BackupError, match="checksum"):
        restore(Settings(home=tmp_path / "a"), tmp_path / "copy.duckdb")
    (tmp_path / "copy.duckdb.sha256").unlink()
    with pytest.raises(BackupError, match="other files"):
        restore(Settings(home=tmp_path / "a"), tmp_path / "copy.duckdb")
    archive.write_bytes(honest[:200])
    with pytest.raises(BackupError, match="no archive of draws"):
        restore(Settings(home=tmp_path / "a"), tmp_path / "copy.duckdb")
    assert not (tmp_path / "a" / "raw.duckdb").exists()


def test_a_missing_archive_is_told_and_an_older_backup_leaves_draws_alone(tmp_path: Path) -> None:
    settings = _home(tmp_path / "home")
    assert back_up(settings, tmp_path / "old.duckdb").draws == 0
    _record(settings, 1)
    back_up(settings, tmp_path / "copy.duckdb")
    (tmp_path / "copy.duckdb.draws.zip").unlink()
    with pytest.raises(BackupError, match="is missing"):
        restore(settings, tmp_path / "copy.duckdb", force=True)
    before = _contents(draws.folder_of(settings))
    restore(settings, tmp_path / "old.duckdb", force=True)
    assert _contents(draws.folder_of(settings)) == before
