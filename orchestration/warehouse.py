"""How the dbt project is parsed and which models must be rebuilt whole.

Belongs here: everything the nightly job, the command line and the tests need to know about dbt without Dagster:
variables, environment, the prebuilt manifest, fingerprints, running the build. Does not belong here: judging it (serving.gate).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.settings import Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.rawstore import quoted

DBT_EXECUTABLE = Path(sys.executable).with_name("dbt")
_WORD = re.compile(r"\w+")
_FINGERPRINTED_CONFIG = ("materialized", "meta", "incremental_strategy", "contract", "pre-hook", "post-hook")


class DbtParseError(RuntimeError):
    """The dbt project does not parse; the message carries dbt's own words."""


def enabled_sources(settings: Settings) -> dict[str, list[str]]:
    """Enabled sources and the feeds each supplies: the dbt var `sources`, or `CSATLAS_SOURCES` when it is set.

    Raises:
        orchestration.sources.declarations.DeclarationError: an enabled source has no valid declaration.
    """
    if settings.sources is not None:
        declarations = load_declarations(list(settings.sources))
        return {name: list(declarations[name].feeds) for name in settings.sources}
    project = yaml.safe_load((settings.dbt_project_dir / "dbt_project.yml").read_text(encoding="utf-8"))
    sources: dict[str, list[str]] = project["vars"]["sources"]
    return sources


def dbt_vars(settings: Settings) -> dict[str, Any]:
    """Variables for `dbt --vars`: always the enabled sources, for dbt renders folder settings before it knows the
    vars of its own dbt_project.yml, and the organisation's time zone, in which units that name none have their days."""
    return {"sources": enabled_sources(settings), "default_time_zone": settings.time_zone}


def dbt_environment(settings: Settings, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Process environment for dbt: the home, the limits, and no telemetry."""
    return {
        **(os.environ if env is None else env),
        "CSATLAS_HOME": str(settings.home),
        "CSATLAS_THREADS": str(settings.threads),
        "CSATLAS_MEMORY_LIMIT": settings.memory_limit,
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def dbt_command(*arguments: str) -> list[str]:
    """Command that runs dbt as a child which ends with this process."""
    return [sys.executable, "-m", "orchestration.dbt_program", str(os.getpid()), *arguments]


def dbt_flags(settings: Settings) -> list[str]:
    """Options every dbt command gets: absolute paths, the home's target folder, the variables."""
    flags = [
        "--project-dir", str(settings.dbt_project_dir),
        "--profiles-dir", str(settings.dbt_project_dir),
        "--target-path", str(settings.dbt_target),
        "--log-path", str(settings.dbt_target / "logs"),
    ]  # fmt: skip
    return [*flags, "--vars", json.dumps(dbt_vars(settings))]


def _project_files(settings: Settings) -> Iterable[Path]:
    for folder in ("models", "macros", "tests"):
        yield from sorted(p for p in (settings.dbt_project_dir / folder).rglob("*") if p.suffix in {".sql", ".yml"})
    yield from (settings.dbt_project_dir / "dbt_project.yml", settings.dbt_project_dir / "profiles.yml")
    yield from sorted(settings.seeds_dir.glob("*.csv"))


def project_digest(settings: Settings) -> str:
    """Digest of everything that a build follows from besides raw: the files of the dbt project, the seeds and the variables."""
    digest = hashlib.sha256(json.dumps([dbt_vars(settings), str(settings.dbt_project_dir)]).encode())
    for path in _project_files(settings):
        digest.update(f"{path}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure_manifest(settings: Settings) -> Path:
    """Parse the dbt project unless the manifest in the home was parsed from these very files and variables.

    Returns:
        Path of manifest.json.

    Raises:
        DbtParseError: dbt refused the project.
    """
    digest = project_digest(settings)
    manifest, stamp = settings.dbt_target / "manifest.json", settings.dbt_target / "manifest.sha256"
    if manifest.exists() and stamp.exists() and stamp.read_text() == digest:
        return manifest
    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    done = subprocess.run(
        dbt_command("--quiet", "parse", *dbt_flags(settings)),
        env=dbt_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise DbtParseError(f"dbt cannot parse {settings.dbt_project_dir}:\n{(done.stdout + done.stderr).strip()}")
    stamp.write_text(digest)
    return manifest


def run_build(settings: Settings, *, full: bool, tell: Callable[[str], None]) -> Path:
    """Run `dbt build` to its end, whatever comes of it; `run_results.json` in the home's target folder says what did.

    Args:
        full: rebuild every incremental model whole.
        tell: is told the count of done models and tests.

    Returns:
        The file with what dbt printed.
    """
    command = dbt_command(
        "--no-use-colors", "--log-level-file", "none",
        "build", *dbt_flags(settings), *(["--full-refresh"] if full else []),
    )  # fmt: skip
    log = settings.dbt_target / "logs" / "refresh.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # Results of an earlier run must not open the gate for this one.
    (settings.dbt_target / "run_results.json").unlink(missing_ok=True)
    with (
        log.open("w", encoding="utf-8", buffering=1) as file,
        subprocess.Popen(
            command,
            env=dbt_environment(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                file.write(line)
                done = re.search(r"(\d+) of (\d+) (?:OK|PASS|FAIL|ERROR|WARN|SKIP)\b", line)
                if done:
                    tell(f"building and testing the warehouse ({done[1]} of {done[2]})")
        except BaseException:
            # Whoever stops the build stops its dbt; leaving the block would wait for it to finish.
            process.kill()
            raise
    return log


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


def fingerprints(manifest: Mapping[str, Any], home_id: str, lookups: Mapping[str, str] | None = None) -> dict[str, str]:
    """Fingerprint of each incremental model: its SQL, contract and macros, and those of everything above it.

    Args:
        manifest: parsed manifest.json.
        home_id: identity of the raw database; another raw database makes every increment invalid.
        lookups: digests of the raw tables that staging models look things up in.

    Returns:
        Model name -> hexadecimal fingerprint.
    """
    nodes = manifest["nodes"]
    # By their words, not by depends_on: a build adds what it met at run time to the manifest that it writes anew.
    macros = {
        macro["name"]: macro["macro_sql"]
        for macro in manifest["macros"].values()
        if macro["package_name"] == manifest["metadata"]["project_name"]
    }
    done: dict[str, str] = {}

    def text_of_macros(text: str) -> str:
        seen: set[str] = set()
        unread = [text]
        while unread:
            named = set(_WORD.findall(unread.pop())) & macros.keys() - seen
            seen |= named
            unread += [macros[name] for name in named]
        return "".join(macros[name] for name in sorted(seen))

    def fingerprint(unique_id: str) -> str:
        if unique_id in done:
            return done[unique_id]
        node = nodes[unique_id]
        hooks = json.dumps([node["config"].get(hook) for hook in ("pre-hook", "post-hook")])
        parts = [
            node["checksum"]["checksum"],
            node.get("raw_code", ""),
            json.dumps({k: node["config"].get(k) for k in _FINGERPRINTED_CONFIG}, sort_keys=True, default=str),
            json.dumps(
                [(c["name"], c.get("data_type"), c.get("config")) for c in node.get("columns", {}).values()],
                default=str,
            ),
            text_of_macros(f"{node.get('raw_code', '')} {hooks}"),
            *((lookups or {}).get(name, "") for name in node["config"].get("meta", {}).get("lookups", [])),
            *(fingerprint(parent) for parent in sorted(node["depends_on"].get("nodes", [])) if parent in nodes),
        ]
        done[unique_id] = hashlib.sha256("\0".join([home_id, *parts]).encode()).hexdigest()
        return done[unique_id]

    return {
        node["name"]: fingerprint(unique_id)
        for unique_id, node in nodes.items()
        if node["resource_type"] == "model" and node["config"]["materialized"] == "incremental"
    }


def write_expected_fingerprints(settings: Settings, manifest_path: Path) -> None:
    """Tell the warehouse what each incremental model is to be built from, and drop those that were built from something else:
    dbt builds whole what is not there."""
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    with duckdb.connect(str(settings.raw_path), read_only=True) as raw:
        row = raw.execute("select md5(salt) from raw_meta.home").fetchone()
        lookups = lookup_digests(manifest, raw)
    home_id = row[0] if row else ""
    with duckdb.connect(str(settings.warehouse_path)) as warehouse:
        warehouse.begin()
        warehouse.execute("create schema if not exists meta")
        warehouse.execute("create table if not exists meta.fingerprints (model varchar, fingerprint varchar)")
        warehouse.execute("create or replace table meta.expected_fingerprints (model varchar, fingerprint varchar)")
        warehouse.executemany(
            "insert into meta.expected_fingerprints values (?, ?)",
            list(fingerprints(manifest, home_id, lookups).items()),
        )
        changed = warehouse.execute(
            "select t.schema_name, t.table_name from meta.expected_fingerprints as e"
            " inner join duckdb_tables() as t on t.table_name = e.model and t.database_name = current_database() and t.schema_name <> 'meta'"
            " left join meta.fingerprints as f on f.model = e.model where f.fingerprint is distinct from e.fingerprint"
        ).fetchall()
        for schema, name in changed:
            warehouse.execute(f"drop table {quoted(schema)}.{quoted(name)}")
        warehouse.commit()
