"""The contracts of the feeds, as their YAML beside the models says.

Belongs here: reading `int_<feed>__received.yml` for people and programs that need to know what a feed accepts (the documentation,
`csatlas source new`). Does not belong here: applying a contract to rows, which the macro `feed_received` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestration.settings import PROJECT_ROOT

CONTRACTS_FOLDER = PROJECT_ROOT / "dbt_project" / "models" / "intermediate" / "feeds"


@dataclass(frozen=True)
class FeedColumn:
    """One column of a feed.

    Attributes:
        values: accepted values, empty when any value is.
        unknown: what happens to another value: `quarantine` the row, or `flag` it and read `unknown`.
    """

    name: str
    data_type: str
    description: str
    required: bool = False
    values: tuple[str, ...] = ()
    unknown: str = "quarantine"
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class FeedRule:
    """A condition on a whole row that puts it into quarantine with the reason `rule:<name>`."""

    name: str
    quarantine_when: str


@dataclass(frozen=True)
class Feed:
    """What one feed accepts."""

    name: str
    grain: str
    key: tuple[str, ...]
    event_time: str | None
    columns: tuple[FeedColumn, ...]
    rules: tuple[FeedRule, ...] = ()


def _column(found: dict[str, Any]) -> FeedColumn:
    meta = found.get("config", {}).get("meta", {})
    return FeedColumn(
        name=found["name"],
        data_type=found["data_type"],
        description=found["description"],
        required=bool(meta.get("required")),
        values=tuple(meta.get("values", ())),
        unknown=meta.get("unknown", "quarantine"),
        minimum=meta.get("min"),
        maximum=meta.get("max"),
    )


def read_contract(path: Path) -> Feed:
    """Contract of one feed from its `int_<feed>__received.yml`."""
    models = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    model = next(model for model in models if model["name"] == path.stem)
    meta = model["config"]["meta"]
    return Feed(
        name=path.stem.removeprefix("int_").removesuffix("__received"),
        grain=model["description"].split(" Every received row")[0],
        key=tuple(meta["key"]),
        event_time=meta.get("event_time"),
        columns=tuple(_column(column) for column in model["columns"]),
        rules=tuple(FeedRule(rule["name"], rule["quarantine_when"]) for rule in meta.get("rules", ())),
    )


def load_contracts(folder: Path = CONTRACTS_FOLDER) -> dict[str, Feed]:
    """All feeds by name, in alphabetical order."""
    feeds = [read_contract(path) for path in sorted(folder.glob("int_*__received.yml"))]
    return {feed.name: feed for feed in feeds}
