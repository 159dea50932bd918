"""The taxonomy of causes as a file that people edit: its check in words, and new causes that are added to it.

Belongs here: reading, checking and writing `seeds/cause_taxonomy.csv`, and the candidates of a snapshot. Does not belong here: how candidates are
found (`modelling.causes`). The build checks the same by itself (`macros/marts/causes.sql`), for whoever edits the file by hand.
"""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dashboards.data.snapshot import Snapshot
from orchestration.settings import Settings

COLUMNS = ("code", "parent", "owner", "is_people", "cause_type", "resolution_codes", "name_en", "name_zh", "example_en", "example_zh", "is_active")  # fmt: skip
OWNERS = ("us", "partner", "device", "customer")
TYPES = ("value", "system", "employee")
_CODE = re.compile(r"[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)*")


class TaxonomyError(Exception):
    """The taxonomy cannot be used, or a cause cannot be added; the message says why."""


def path_of(settings: Settings) -> Path:
    """The file of the taxonomy."""
    return settings.seeds_dir / "cause_taxonomy.csv"


def read_taxonomy(path: Path) -> list[dict[str, str]]:
    """Lines of the taxonomy in the order of the file.

    Raises:
        TaxonomyError: it is not there, no UTF-8, or has other columns.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TaxonomyError(f"{path.name}: {error}") from error
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise TaxonomyError(f"{path.name}: its columns are to be {', '.join(COLUMNS)}.")
    lines = list(reader)
    for number, line in enumerate(lines, 2):
        if None in line or None in line.values():
            raise TaxonomyError(f"{path.name}: line {number} has not {len(COLUMNS)} values.")
    return lines


def problems(lines: Sequence[dict[str, str]]) -> list[str]:
    """What is wrong with a taxonomy, one sentence each; empty when nothing is."""
    found: list[str] = []
    parents: dict[str, str] = {}
    resolutions: dict[str, str] = {}
    for line in lines:
        code = line["code"]
        if code in parents:
            found.append(f"{code}: it is there twice.")
        if not _CODE.fullmatch(code):
            found.append(
                f"{code or 'a line without a code'}: a code has small letters, digits and underscores, in parts separated by dots."
            )
        if line["owner"] not in OWNERS:
            found.append(f"{code}: the owner {line['owner'] or 'without a word'} is none of {', '.join(OWNERS)}.")
        if line["cause_type"] and line["cause_type"] not in TYPES:
            found.append(f"{code}: cause_type {line['cause_type']} is none of {', '.join(TYPES)}.")
        if {line["is_people"].lower(), line["is_active"].lower()} - {"true", "false"}:
            found.append(f"{code}: is_people and is_active are to be true or false.")
        if not line["name_en"].strip() or not line["name_zh"].strip():
            found.append(f"{code}: it has no name in one of the languages.")
        for resolution in filter(None, line["resolution_codes"].replace(" ", "").split(";")):
            if resolution != resolution.lower():
                found.append(f"{code}: resolution code {resolution} is not in small letters.")
            if resolution in resolutions:
                found.append(f"{code}: resolution code {resolution} belongs to {resolutions[resolution]} too.")
            resolutions[resolution] = code
        parents.setdefault(code, line["parent"])
    for code, parent in parents.items():
        if parent and parent not in parents:
            found.append(f"{code}: its parent {parent} is no code.")
        at, steps = code, 0
        while at and steps <= len(parents):
            at, steps = parents.get(at, ""), steps + 1
        if at:
            found.append(f"{code}: its parents lead in a circle.")
    return found


def candidates_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Candidates of new causes in a snapshot, the largest first.

    Raises:
        TaxonomyError: the snapshot is older than the marts of causes.
    """
    known = snapshot.rows("select table_name from information_schema.tables where table_name = 'fct_cause_candidates'")
    if not known:
        raise TaxonomyError("the published snapshot has no candidates of causes; run `csatlas refresh` first.")
    return snapshot.rows("select * from main.fct_cause_candidates order by candidate")


def accept(
    path: Path,
    *,
    code: str,
    parent: str,
    name_en: str,
    name_zh: str,
    cause_type: str = "",
    is_people: bool = False,
    resolution_codes: str = "",
    example_en: str = "",
    example_zh: str = "",
) -> dict[str, str]:
    """Add a cause to the file, which is replaced as a whole; its owner is that of its parent. What stands there stays byte for byte.

    Raises:
        TaxonomyError: the file or the new line has a problem; the file is as it was.
    """
    lines = read_taxonomy(path)
    wrong = problems(lines)
    if wrong:
        raise TaxonomyError(f"{path.name} has to be put right first: {' '.join(wrong)}")
    owners = {line["code"]: line["owner"] for line in lines}
    if parent not in owners:
        raise TaxonomyError(f"--parent {parent!r} is no code of {path.name}; there are {', '.join(sorted(owners))}.")
    fresh = {
        "code": code, "parent": parent, "owner": owners[parent], "is_people": str(is_people).lower(), "cause_type": cause_type, "resolution_codes": resolution_codes,
        "name_en": name_en, "name_zh": name_zh, "example_en": example_en, "example_zh": example_zh, "is_active": "true",
    }  # fmt: skip
    wrong = problems([*lines, fresh])
    if wrong:
        raise TaxonomyError(" ".join(wrong))
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow([fresh[name] for name in COLUMNS])
    kept = path.read_bytes()
    if not kept.endswith(b"\n"):
        kept += b"\n"
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(kept + row.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())
    os.chmod(part, path.stat().st_mode & 0o777)
    os.replace(part, path)
    return fresh
