"""A city's reader of the built-in company, and the same company with every row deleted that this reader may not see.

What the reader gets of the whole company must be what the same reader gets where nothing else exists. The deleting goes by the rights keys alone and knows
nothing of the views that hide rows.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

import dashboards.data
from dashboards.data.rights import Viewer
from dashboards.data.snapshot import published_path

PROVINCE, CITY, TEAM = "P-GD", "C-GD-GZ", "T-GD-GZ-1"
VISIBLE = (CITY, TEAM)
CITY_READER = Viewer("mei", "analyst", frozenset({CITY}), True)
FIGURES_OF_THE_WHOLE = ("atlas", "digests")


def reduced(home: Path, target: Path) -> Path:
    """A serving folder whose snapshot holds nothing that the reader may not see."""
    whole = published_path(home / "serving")
    target.mkdir()
    path = target / whole.name
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"attach '{whole}' as whole (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'whole' order by all"
        ).fetchall()
        for schema, table in tables:
            connection.execute(f'create schema if not exists "{schema}"')
            connection.execute(f'create table "{schema}"."{table}" as from whole."{schema}"."{table}"')
            columns = [row[0] for row in connection.execute(f'describe "{schema}"."{table}"').fetchall()]
            if schema == "meta":
                if table in FIGURES_OF_THE_WHOLE:
                    connection.execute(f'delete from meta."{table}"')
                continue
            key = "org_unit_id" if table == "dim_org_units" else "row_unit_id"
            assert key in columns, f"{schema}.{table} has no rights key"
            connection.execute(
                f'delete from "{schema}"."{table}" where {key} is null or {key} not in (\'*\', {", ".join(repr(unit) for unit in VISIBLE)})'
            )
    (target / "current").symlink_to(path.name)
    if (home / "serving" / "status.json").exists():
        (target / "status.json").write_bytes((home / "serving" / "status.json").read_bytes())
    return target


def questions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function of `dashboards.data` that is asked of a snapshot."""
    for info in pkgutil.iter_modules(dashboards.data.__path__):
        module = importlib.import_module(f"dashboards.data.{info.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            takes = inspect.signature(function).parameters
            if function.__module__ == module.__name__ and not name.startswith("_") and "snapshot" in takes:
                yield f"{info.name}.{name}", function


def plain(value: Any) -> Any:
    """An answer as lists, dictionaries and scalars, so that two can be compared and searched."""
    if isinstance(value, pl.DataFrame):
        return [plain(row) for row in value.to_dicts()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if value is None or isinstance(value, str | int | float | date | datetime):
        return value
    return {name: plain(one) for name, one in vars(value).items()} if hasattr(value, "__dict__") else str(value)


def scalars(value: Any) -> Iterator[Any]:
    """All values in an answer."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from scalars(one)
    elif isinstance(value, list):
        for one in value:
            yield from scalars(one)
    else:
        yield value
