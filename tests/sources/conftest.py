"""A home with one small source, for everything that loads files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration.settings import Settings
from orchestration.sources.declarations import SourceDeclaration, load_declarations
from orchestration.sources.files import LoadReport, load_inbox

TABLES: dict[str, Any] = {
    "people": {
        "pattern": "people_*",
        "delivery_pattern": r"(?P<delivery>\d{8})",
        "format": "delimited",
        "delivery": "delta",
        "key": ["id"],
        "columns": {"id": {"required": True}, "name": {"aliases": ["full name"]}, "amount": {}},
    },
    "log": {
        "pattern": "*.log",
        "format": "delimited",
        "delimiter": "|",
        "quote": "",
        "header": False,
        "delivery": "delta",
        "columns": {"at": {"required": True}, "event": {}, "value": {}},
    },
    "stock": {
        "pattern": "stock_*",
        "delivery_pattern": r"(?P<delivery>\d{8})",
        "format": "delimited",
        "delivery": "snapshot",
        "key": ["id"],
        "columns": {"id": {"required": True}, "name": {}},
    },
    "wide": {
        "pattern": "*.fwf",
        "format": "fixed_width",
        "header": False,
        "delivery": "delta",
        "columns": {"id": {"start": 1, "width": 5}, "day": {"start": 7, "width": 8}, "n": {"start": 16, "width": 3}},
    },
    "lines": {
        "pattern": "*.jsonl",
        "format": "json_lines",
        "delivery": "delta",
        "columns": {"id": {"required": True}, "tags": {}},
    },
    "columns": {
        "pattern": "*.parquet",
        "format": "parquet",
        "delivery": "delta",
        "columns": {"id": {"required": True}, "at": {}},
    },
    "sheets": {
        "pattern": "*.xlsx",
        "format": "excel",
        "delivery": "delta",
        "columns": {"id": {"required": True}, "day": {}, "n": {}},
    },
}


class Desk:
    """One home, one source `desk`, and shortcuts to deliver, load and look."""

    def __init__(self, root: Path, tables: dict[str, Any] = TABLES) -> None:
        self.settings = Settings(home=root / "home")
        self.folder = root / "declarations"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.inbox = self.settings.inbox / "desk"
        self.inbox.mkdir(parents=True, exist_ok=True)
        self.declare(tables)

    def declare(self, tables: dict[str, Any]) -> None:
        content = {"source": "desk", "label": {"en": "Desk", "zh": "柜台"}, "feeds": [], "tables": tables}
        (self.folder / "desk.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    @property
    def declarations(self) -> dict[str, SourceDeclaration]:
        return load_declarations(["desk"], folder=self.folder)

    def deliver(self, name: str, content: str | bytes) -> Path:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    def load(self, load_id: str = "run") -> LoadReport:
        return load_inbox(self.settings, self.declarations, load_id)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.settings.raw_path), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def one(desk: Desk) -> Callable[[str, str | bytes], Any]:
    """Deliver one file, load, and give its result."""

    def deliver_and_load(name: str, content: str | bytes) -> Any:
        desk.deliver(name, content)
        (result,) = desk.load().files
        return result

    return deliver_and_load
