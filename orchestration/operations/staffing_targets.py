"""What staffing is planned for, queue by queue: `seeds/staffing_targets.csv`.

Belongs here: reading the file and finding a queue's line. Does not belong here: how many agents it takes (modelling), and the
thresholds by which calls are judged (`service_level_targets.csv`, read by dbt).

The file is read when a plan is asked for; a change needs no refresh.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from orchestration.modelling.staffing import Model, ServiceLevelDefinition

FILE_NAME = "staffing_targets.csv"
COLUMNS = ("queue", "service_level", "within_seconds", "definition", "model", "shrinkage")


class StaffingTargetError(ValueError):
    """The file cannot be used; the message names file, line and field, and says what to write."""


@dataclass(frozen=True)
class StaffingTarget:
    """One line: what a queue is staffed for.

    Attributes:
        queue: a queue, or its beginning followed by `*`.
        service_level: share of calls to answer in time, between 0 and 1.
        within_seconds: the target wait.
        definition: by which the share is counted, as in `orchestration.modelling.staffing`.
        model: erlang_a, erlang_b or erlang_c.
        shrinkage: share of paid time that is not spent on the telephone, from 0 to below 1.
        line: of the file, from 1.
    """

    queue: str
    service_level: float
    within_seconds: float
    definition: ServiceLevelDefinition
    model: Model
    shrinkage: float
    line: int

    def fits(self, queue: str) -> bool:
        """Whether the line is about a queue."""
        return queue.startswith(self.queue[:-1]) if self.queue.endswith("*") else queue == self.queue


def read_staffing_targets(path: Path) -> list[StaffingTarget]:
    """All lines of the file.

    Raises:
        StaffingTargetError: it is not there, lacks a column, or holds a value that is none; a queue stands in it twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise StaffingTargetError(
            f"{path} is not there; it has the columns {','.join(COLUMNS)} and a line for every queue (queue = *)."
        ) from None
    except UnicodeDecodeError as error:
        raise StaffingTargetError(f"{path}: {error}; save it as UTF-8.") from None
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise StaffingTargetError(f"{path}, line 1: column {missing[0]} is missing; it has {','.join(COLUMNS)}.")
    found: list[StaffingTarget] = []
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise StaffingTargetError(f"{where}: the line has not as many fields as the header.")
        fields = {name: row[name].strip() for name in COLUMNS}
        if not fields["queue"] or "*" in fields["queue"][:-1]:
            raise StaffingTargetError(
                f"{where}, queue: {fields['queue']!r} is no queue; write its name, its beginning followed by *, or * for all."
            )
        twice = next((one for one in found if one.queue == fields["queue"]), None)
        if twice is not None:
            raise StaffingTargetError(f"{where}, queue: {fields['queue']!r} stands in line {twice.line} already.")
        level, within, shrinkage = (
            _number(fields, name, where) for name in ("service_level", "within_seconds", "shrinkage")
        )
        if not 0 < level < 1:
            raise StaffingTargetError(
                f"{where}, service_level: {fields['service_level']} is not between 0 and 1 (80 % is 0.80)."
            )
        if within == float("inf") or within != within:
            raise StaffingTargetError(f"{where}, within_seconds: {fields['within_seconds']} is no finite number.")
        if within < 0:
            raise StaffingTargetError(f"{where}, within_seconds: {fields['within_seconds']} is below 0.")
        if not 0 <= shrinkage < 1:
            raise StaffingTargetError(
                f"{where}, shrinkage: {fields['shrinkage']} is not from 0 to below 1 (30 % is 0.30)."
            )
        for name, known in (("definition", get_args(ServiceLevelDefinition)), ("model", get_args(Model))):
            if fields[name] not in known:
                raise StaffingTargetError(f"{where}, {name}: {fields[name]!r} is none of {', '.join(known)}.")
        definition: ServiceLevelDefinition = fields["definition"]  # type: ignore[assignment]
        model: Model = fields["model"]  # type: ignore[assignment]
        found.append(StaffingTarget(fields["queue"], level, within, definition, model, shrinkage, reader.line_num))
    return found


def _number(fields: dict[str, str], name: str, where: str) -> float:
    try:
        return float(fields[name])
    except ValueError:
        raise StaffingTargetError(f"{where}, {name}: {fields[name]!r} is no number; write it with a point.") from None


def staffing_target(path: Path, queue: str) -> StaffingTarget:
    """The line that holds for a queue: its own name wins, then the longest beginning, then `*`.

    Raises:
        StaffingTargetError: as in `read_staffing_targets`, or no line fits.
    """
    fitting = [one for one in read_staffing_targets(path) if one.fits(queue)]
    if not fitting:
        raise StaffingTargetError(f"{path}: no line fits the queue {queue!r}; add one, or one for all (queue = *).")
    return max(fitting, key=lambda one: (not one.queue.endswith("*"), len(one.queue)))
