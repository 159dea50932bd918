"""Random draws with a recorded seed: how rows are drawn, the record under the home, and the check of it.

Belongs here: what every draw has in common. Does not belong here: what is drawn from which marts (`quality_draws`, `winback_draws`).

A draw is systematic: the candidates are put in an order by their strata, at random within these, and every (N / n)th is taken from a random start. So each
has the same chance n / N, and the drawn ones spread over the strata as the candidates do (W. G. Cochran, *Sampling Techniques*, 3rd ed. 1977, chapter 8). The
random numbers are SHA-256 digests of seed and names: whoever knows the seed can follow the draw by hand, and no version of a library changes it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.settings import Settings
from orchestration.sources.rawstore import private_folder


class DrawError(ValueError):
    """There is nothing to draw from, or a record cannot be read; the message says why."""


@dataclass(frozen=True)
class Layout:
    """One kind of draw.

    Attributes:
        prefix: begins the names of its draws.
        noun: what is drawn, in the plural: also the field of the record that lists it.
        method: changes when the same seed and candidates would give another draw.
        candidates: columns of the candidates and their types.
        key: columns that name a candidate.
        compared: columns of a drawn row that the seed decides and a check compares; begins with the key.
        drawn: columns of a drawn row, also of the file.
        period: field of the record that says which month or day was drawn.
        again: makes the draw of a record again from its candidates: columns `drawn`.
        found: the candidates that a snapshot has for a record.
    """

    prefix: str
    noun: str
    method: str
    candidates: Mapping[str, type[pl.DataType]]
    key: tuple[str, ...]
    compared: tuple[str, ...]
    drawn: tuple[str, ...]
    period: str
    again: Callable[[pl.DataFrame, Mapping[str, Any]], pl.DataFrame]
    found: Callable[[Snapshot, Mapping[str, Any]], pl.DataFrame]


def uniform(*parts: object) -> int:
    """A whole number below 2^256 that follows from the parts."""
    return int.from_bytes(hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest())


def systematic(count: int, n: int, start: int) -> list[int]:
    """Places of `n` of `count` rows: a start below count / n, then every (count / n)th.

    In whole numbers, so that nothing is rounded: place k is floor((u / 2^256 + k) count / n).

    Args:
        n: 0 to count.
        start: a number of `uniform`.
    """
    return [((start + (k << 256)) * count // n) >> 256 for k in range(n)]


def chosen_seed(seed: int | None) -> int:
    """The given seed, or one taken at random."""
    return secrets.randbelow(2**31) if seed is None else seed


def digest(layout: Layout, candidates: pl.DataFrame) -> str:
    """SHA-256 of the candidates, whatever their order."""
    return hashlib.sha256(candidates.select(*layout.candidates).sort(*layout.key).write_csv().encode()).hexdigest()


def folder_of(settings: Settings) -> Path:
    """Where draws are recorded: for each a `.json`, and a `.parquet` with its candidates; only their owner may read them."""
    return settings.home / "draws"


def earlier_draws(settings: Settings, beginning: str) -> int:
    """Recorded draws whose name begins so; makes the folder."""
    return len(list(private_folder(folder_of(settings)).glob(f"{beginning}-*.json")))


def _write_privately(path: Path, content: bytes) -> None:
    """A new file that only its owner may read; it is there in whole or not at all."""
    part = path.with_suffix(path.suffix + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(part, path)


def record_draw(settings: Settings, draw_id: str, record: Mapping[str, Any], candidates: pl.DataFrame) -> None:
    """Write the record of a draw and its candidates, before anybody sees the result."""
    folder = private_folder(folder_of(settings))
    buffer = io.BytesIO()
    candidates.write_parquet(buffer, compression="zstd")
    _write_privately(folder / f"{draw_id}.parquet", buffer.getvalue())
    text = json.dumps(record, ensure_ascii=False, indent=1, default=lambda value: value.isoformat())
    _write_privately(folder / f"{draw_id}.json", (text + "\n").encode())


def write_rows(layout: Layout, draw_id: str, rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The drawn rows as a CSV file that only its owner may read; an existing one is replaced."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["draw_id", *layout.drawn])
        writer.writeheader()
        writer.writerows({"draw_id": draw_id, **row} for row in rows)


@dataclass(frozen=True)
class DrawCheck:
    """What a check found. It is good when `faults` is empty.

    Attributes:
        period: month or day that was drawn, as recorded.
        noun: what was drawn.
        drawn: how many, by the record.
        snapshot: `same` candidates as the snapshot has, `different`, or `gone` (no longer kept).
        faults: what does not hold, in words.
    """

    draw_id: str
    period: str
    seed: int
    drawn_at: str
    snapshot_version: str
    noun: str
    drawn: int
    earlier_draws: int
    snapshot: str
    faults: list[str]


def _rows_of_file(layouts: Sequence[Layout], path: Path) -> tuple[str, list[dict[str, str]]]:
    """Name of the draw that a CSV file holds, and its rows."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.DictReader(source)
            fields = set(reader.fieldnames or ())
            if "draw_id" not in fields:
                raise DrawError(f"{path} is no file of a draw: it has no column draw_id.")
            rows = list(reader)
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise DrawError(f"{path} cannot be read: {error}") from None
    names = {row["draw_id"] for row in rows}
    if len(names) != 1:
        raise DrawError(f"{path} names {len(names)} draws; a file holds the rows of one.")
    name = names.pop()
    layout = _layout_of(layouts, name)
    if Path(name).name != name or layout is None:
        raise DrawError(f"{path}: {name!r} is the name of no draw.")
    if not set(layout.compared) <= fields:
        raise DrawError(f"{path} is no file of a draw: it has no column {', '.join(layout.compared)}.")
    return name, rows


def _layout_of(layouts: Sequence[Layout], name: str) -> Layout | None:
    return next((layout for layout in layouts if name.startswith(f"{layout.prefix}-")), None)


def check_draw(settings: Settings, layouts: Sequence[Layout], path: Path) -> DrawCheck:
    """Whether a file of drawn rows, or a record, is what its seed gives.

    The draw is made again from the recorded candidates and seed, and compared with the record and the file; the candidates are compared with the snapshot
    they were read from, as long as it is kept.

    Args:
        layouts: the kinds of draws that may be recorded.
        path: the CSV file of a draw, or its record.

    Raises:
        DrawError: it is neither, or its record is not there.
    """
    rows: list[dict[str, str]] | None = None
    record_path = path
    if path.suffix != ".json":
        name, rows = _rows_of_file(layouts, path)
        record_path = folder_of(settings) / f"{name}.json"
    layout = _layout_of(layouts, record_path.name)
    if layout is None:
        raise DrawError(f"{path}: {record_path.stem!r} is the name of no draw.")
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        candidates = pl.read_parquet(record_path.with_suffix(".parquet"))
        period, drawn, seed, method = (
            str(record[layout.period]),
            record[layout.noun],
            int(record["seed"]),
            record["method"],
        )
        again = layout.again(candidates, record).to_dicts() if method == layout.method else None
        faults = []
        if again is None:
            faults.append(
                f"it was drawn by the method {method}; this version of csatlas draws by {layout.method} and cannot follow it."
            )
        if digest(layout, candidates) != record["candidates_digest"]:
            faults.append("the recorded candidates are not those of the draw.")
        keys = {tuple(str(row[key]) for key in layout.compared) for row in drawn}
        if again is not None and {tuple(str(row[key]) for key in layout.compared) for row in again} != keys:
            faults.append(f"the seed gives other {layout.noun} than the record has.")
        state = _compared(settings, layout, record, candidates)
    except FileNotFoundError as error:
        raise DrawError(f"there is no record of this draw ({error.filename}).") from None
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DrawError(f"{record_path} cannot be read as the record of a draw: {error}") from None
    if rows is not None:
        listed = [tuple(row[key] for key in layout.compared) for row in rows]
        missing, added = keys - set(listed), set(listed) - keys
        if missing or added or len(listed) != len(set(listed)):
            faults.append(
                f"the file lacks {len(missing)} drawn {layout.noun}, has {len(added)} that were not drawn, and {len(listed) - len(set(listed))} twice."
            )
    if state == "different":
        faults.append("the candidates are not those of the snapshot they are said to come from.")
    return DrawCheck(
        record_path.stem, period, seed, record["drawn_at"], record["snapshot_version"], layout.noun, len(drawn), int(record["earlier_draws"]), state, faults
    )  # fmt: skip


def _compared(settings: Settings, layout: Layout, record: Mapping[str, Any], candidates: pl.DataFrame) -> str:
    path = settings.serving / f"csatlas-{record['snapshot_version']}.duckdb"
    if not path.is_file():
        return "gone"
    snapshot = open_snapshot(path)
    try:
        found = layout.found(snapshot, record)
    finally:
        snapshot.close()
    return "same" if digest(layout, found) == digest(layout, candidates) else "different"


def table_names(snapshot: Snapshot) -> set[str]:
    """Public marts that a snapshot has."""
    rows = snapshot.rows("select table_name from information_schema.tables where table_schema = 'main'")
    return {row["table_name"] for row in rows}
