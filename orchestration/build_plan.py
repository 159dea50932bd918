"""What a build has to do: which models changed their definition, and what nothing new has reached.

Belongs here: fingerprints of definitions, digests of what the sources sent, the plan that follows from both, and what is kept of
a build for the next plan. Does not belong here: running dbt (warehouse) and judging it (serving.gate).

A model or test follows from its definition and from the raw tables above it, and from nothing else: no model asks for the time.
So a night leaves out what neither has changed for, and carries its result over.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from orchestration.settings import STORAGE_VERSION, Settings
from orchestration.sources.rawstore import all_columns, quoted

_WORD = re.compile(r"\w+")
_FINGERPRINTED_CONFIG = ("materialized", "meta", "incremental_strategy", "contract", "pre-hook", "post-hook")
_BUILT = ("model", "seed", "test")
GOOD = ("success", "pass", "warn")
_KEPT = ("unique_id", "status", "execution_time", "failures", "message")
_STORAGE: dict[str, str | bool | int | float | list[str]] = {"storage_compatibility_version": STORAGE_VERSION}
_MODELLING = Path(__file__).parent / "modelling"
_LIBRARIES_OF_MODELS = ("duckdb", "numpy", "polars", "pypinyin", "scikit-learn", "scipy", "splink")


@dataclass(frozen=True)
class BuildPlan:
    """What one build does.

    Attributes:
        chosen: names of the models, seeds and tests to build; None: all of them.
        carried: results of those that are left out, what stands above first.
        bases: what each model, seed and test is to follow from, by its dbt id.
    """

    chosen: tuple[str, ...] | None
    carried: tuple[Mapping[str, Any], ...]
    bases: Mapping[str, str]


def lookup_digests(manifest: Mapping[str, Any], raw: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Digest of the content of each raw table that a staging model looks things up in (`meta.lookups`: `source.table`).

    The same rows delivered again give the same digest: only a change of content makes what was received read anew.
    """
    names = {
        name
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        for name in node["config"].get("meta", {}).get("lookups", [])
    }
    digests: dict[str, str] = {}
    for name in sorted(names):
        source, table = name.split(".")
        columns = [
            row[0]
            for row in raw.execute(
                "select column_name from information_schema.columns where table_catalog = current_database()"
                " and table_schema = ? and table_name = ? and left(column_name, 1) <> '_' order by column_name",
                [f"raw_{source}", table],
            ).fetchall()
        ]
        if not columns:
            continue
        listed = ", ".join(quoted(column) for column in columns)
        # Order and ties of the last deliveries, not the deliveries themselves: what came again unchanged is no news.
        row = raw.execute(
            f"select md5(coalesce(string_agg(concat(age, ' ', line), chr(10) order by age, line), '')) from (select line,"
            f" dense_rank() over (order by last_delivery) as age from (select cast(row({listed}) as varchar) as line,"
            f" max(_delivery) as last_delivery from {quoted('raw_' + source)}.{quoted(table)} where _problem is null group by line))"
        ).fetchone()
        digests[name] = str(row[0]) if row else ""
    return digests


@cache
def modelling_digest() -> str:
    """Digest of everything that a Python model may call: the modules of `orchestration.modelling`, the hand-over of frames and their libraries."""
    digest = hashlib.sha256(" ".join(f"{name}={version(name)}" for name in _LIBRARIES_OF_MODELS).encode())
    for path in [*sorted(_MODELLING.glob("*.py")), _MODELLING.with_name("score_tables.py")]:
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprints(
    manifest: Mapping[str, Any],
    home_id: str,
    lookups: Mapping[str, str] | None = None,
    variables: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """Fingerprint of each model, seed and test: its code, contract and macros, and those of everything above it.

    Args:
        manifest: parsed manifest.json.
        home_id: identity of the raw database; another raw database makes every increment invalid.
        lookups: digests of the raw tables that staging models look things up in.
        variables: values of the dbt variables. `sources` is none of them: which sources a model reads shows in what stands above it.

    Returns:
        dbt id -> hexadecimal fingerprint.
    """
    nodes = manifest["nodes"]
    # By their words, not by depends_on: a build adds what it met at run time to the manifest that it writes anew.
    macros = {
        macro["name"]: macro["macro_sql"]
        for macro in manifest["macros"].values()
        if macro["package_name"] == manifest["metadata"]["project_name"]
    }
    words = {name: frozenset(_WORD.findall(text)) for name, text in macros.items()}
    done: dict[str, str] = {}

    def macros_of(text: str) -> set[str]:
        seen: set[str] = set()
        unread = [frozenset(_WORD.findall(text))]
        while unread:
            named = unread.pop() & macros.keys() - seen
            seen |= named
            unread += [words[name] for name in named]
        return seen

    def fingerprint(unique_id: str) -> str:
        if unique_id in done:
            return done[unique_id]
        node = nodes[unique_id]
        config = node["config"]
        hooks = json.dumps([config.get(hook) for hook in ("pre-hook", "post-hook")])
        code = node.get("raw_code", "")
        named = sorted(macros_of(f"{code} {hooks}"))
        text = "".join(macros[name] for name in named)
        values = [
            f"{name}={value}"
            for name, value in sorted((variables or {}).items())
            if name != "sources" and f"var('{name}')" in code + text
        ]
        of_test = [node["test_metadata"], config.get("severity")] if node.get("test_metadata") else []
        parts = [
            node["checksum"]["checksum"],
            code,
            json.dumps({k: config.get(k) for k in _FINGERPRINTED_CONFIG}, sort_keys=True, default=str),
            json.dumps(
                [(c["name"], c.get("data_type"), c.get("config")) for c in node.get("columns", {}).values()],
                default=str,
            ),
            text,
            *values,
            *(json.dumps(part, sort_keys=True) for part in of_test),
            *([modelling_digest()] if node.get("language") == "python" else []),
            *((lookups or {}).get(name, "") for name in config.get("meta", {}).get("lookups", [])),
            *(fingerprint(parent) for parent in sorted(node["depends_on"].get("nodes", [])) if parent in nodes),
        ]
        done[unique_id] = hashlib.sha256("\0".join([home_id, *parts]).encode()).hexdigest()
        return done[unique_id]

    return {unique_id: fingerprint(unique_id) for unique_id, node in nodes.items() if node["resource_type"] in _BUILT}


@dataclass(frozen=True)
class _RawState:
    """What raw holds: identity of the home, digests of looked-up tables, and per (source, table) digests of its deliveries and of
    its columns; the whole ledger stands under ("", "")."""

    home_id: str
    lookups: Mapping[str, str]
    deliveries: Mapping[tuple[str, str], str]
    columns: Mapping[tuple[str, str], str]


def _raw_state(raw: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> _RawState:
    row = raw.execute("select md5(salt) from raw_meta.home").fetchone()
    found: dict[tuple[str, str], list[str]] = {}
    ledger: list[str] = []
    for table in ("tables", "files"):
        for source, name, rows, digest in raw.execute(
            f"select source, table_name, count(*), bit_xor(hash(line)) from raw_meta.{table} as line group by all order by all"
        ).fetchall():
            found.setdefault((source, name), []).append(f"{table} {rows} {digest}")
            ledger.append(f"{source}.{name} {table} {rows} {digest}")
    deliveries = {key: "; ".join(lines) for key, lines in found.items()}
    columns = {(schema, name): ", ".join(listed) for (schema, name), listed in all_columns(raw).items()}
    return _RawState(
        str(row[0]) if row else "", lookup_digests(manifest, raw), deliveries | {("", ""): "; ".join(ledger)}, columns
    )


def _bases(manifest: Mapping[str, Any], prints: Mapping[str, str], state: _RawState) -> dict[str, str]:
    """What each model, seed and test follows from: its fingerprint, the deliveries of all raw tables above it, and the versions
    of the programs. A view holds no rows: of the raw tables it reads only their columns count."""
    nodes, sources = manifest["nodes"], manifest["sources"]
    above: dict[str, frozenset[str]] = {}

    def raw_above(unique_id: str) -> frozenset[str]:
        if unique_id not in above:
            parents = nodes[unique_id]["depends_on"].get("nodes", [])
            above[unique_id] = frozenset().union(
                *({parent} if parent in sources else raw_above(parent) for parent in parents)
            )
        return above[unique_id]

    def deliveries(unique_id: str) -> str:
        read = sources[unique_id]
        key = (read["source_name"], read["name"])
        return state.deliveries[("", "")] if key[0] == "raw_meta" else state.deliveries.get(key, "")

    def columns(unique_id: str) -> str:
        return state.columns.get((sources[unique_id]["schema"], sources[unique_id]["name"]), "")

    programs = (manifest["metadata"]["dbt_version"], duckdb.__version__)
    bases = {}
    for unique_id, print_ in prints.items():
        node = nodes[unique_id]
        is_view = node["resource_type"] == "model" and node["config"]["materialized"] == "view"
        read = columns if is_view else deliveries
        parts = (*programs, print_, *(f"{name}: {read(name)}" for name in sorted(raw_above(unique_id))))
        bases[unique_id] = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return bases


def plan_build(
    settings: Settings, manifest_path: Path, variables: Mapping[str, Any], *, full: bool = False
) -> BuildPlan:
    """Tell the warehouse what each incremental model is to be built from, drop those that were built from something else (dbt
    builds whole what is not there), and find what need not be built at all.

    Args:
        variables: values of the dbt variables.
        full: leave nothing out.
    """
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    nodes = manifest["nodes"]
    with duckdb.connect(str(settings.raw_path), read_only=True) as raw:
        state = _raw_state(raw, manifest)
    prints = fingerprints(manifest, state.home_id, state.lookups, variables)
    bases = _bases(manifest, prints, state)
    expected = [
        (nodes[unique_id]["name"], print_)
        for unique_id, print_ in prints.items()
        if nodes[unique_id]["config"].get("materialized") == "incremental"
    ]
    with duckdb.connect(str(settings.warehouse_path), config=_STORAGE) as warehouse:
        warehouse.begin()
        warehouse.execute("create schema if not exists meta")
        warehouse.execute("create table if not exists meta.fingerprints (model varchar, fingerprint varchar)")
        warehouse.execute("create table if not exists meta.built (unique_id varchar, basis varchar, result varchar)")
        warehouse.execute("create or replace table meta.expected_fingerprints (model varchar, fingerprint varchar)")
        _insert(warehouse, "meta.expected_fingerprints", expected)
        changed = warehouse.execute(
            "select t.schema_name, t.table_name from meta.expected_fingerprints as e"
            " inner join duckdb_tables() as t on t.table_name = e.model and t.database_name = current_database() and t.schema_name <> 'meta'"
            " left join meta.fingerprints as f on f.model = e.model where f.fingerprint is distinct from e.fingerprint"
        ).fetchall()
        for schema, name in changed:
            warehouse.execute(f"drop table {quoted(schema)}.{quoted(name)}")
        built = warehouse.execute("select unique_id, basis, result from meta.built").fetchall()
        present = set(
            warehouse.execute(
                "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
            ).fetchall()
        )
        warehouse.commit()
    if full:
        return BuildPlan(None, (), bases)
    unchanged = {
        unique_id: json.loads(result)
        for unique_id, basis, result in built
        if basis == bases.get(unique_id)
        and (
            nodes[unique_id]["resource_type"] == "test"
            or (nodes[unique_id]["schema"], nodes[unique_id]["name"]) in present
        )
    }
    settled: dict[str, bool] = {}

    def is_settled(unique_id: str) -> bool:
        """Neither it nor anything above it has to be built."""
        if unique_id not in settled:
            parents = [parent for parent in nodes[unique_id]["depends_on"].get("nodes", []) if parent in prints]
            settled[unique_id] = unique_id in unchanged and all(is_settled(parent) for parent in parents)
        return settled[unique_id]

    def is_left_out(unique_id: str) -> bool:
        """A view shows what is below it whenever that was built: it need not be made again."""
        is_view = nodes[unique_id]["config"].get("materialized") == "view"
        return unique_id in unchanged if is_view else is_settled(unique_id)

    left_out = {unique_id for unique_id in prints if is_left_out(unique_id)}
    chosen = tuple(sorted(nodes[unique_id]["name"] for unique_id in prints.keys() - left_out))
    carried = tuple(unchanged[unique_id] for unique_id in sorted(left_out))
    return BuildPlan(None if not carried else chosen, carried, bases)


def keep_results(settings: Settings, plan: BuildPlan, results: Sequence[Mapping[str, Any]]) -> None:
    """Keep what a build came to, so that the next one can leave out what nothing has changed for.

    The beginning of every dbt run forgets what is kept here: a build that was stopped, or was somebody's own, vouches for nothing.

    Args:
        results: of everything that was built or carried; those that are not good are forgotten.
    """
    rows = [
        (result["unique_id"], plan.bases[result["unique_id"]], json.dumps({name: result.get(name) for name in _KEPT}))
        for result in results
        if result["unique_id"] in plan.bases and result["status"] in GOOD
    ]
    with duckdb.connect(str(settings.warehouse_path), config=_STORAGE) as warehouse:
        warehouse.begin()
        warehouse.execute("create or replace table meta.built (unique_id varchar, basis varchar, result varchar)")
        _insert(warehouse, "meta.built", rows)
        warehouse.commit()


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Rows of text in one statement: bound row by row they cost a millisecond each."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(f"insert into {table} select {', '.join('unnest(?)' for _ in columns)}", columns)
