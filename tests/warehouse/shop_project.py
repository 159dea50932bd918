"""A home and a dbt project of their own for tests: the real project plus the staging of the invented `shop` source.

Its seeds are a copy too, so that a test may add schedules and policies to them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from orchestration import warehouse
from orchestration.build_plan import GOOD, BuildPlan
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources.declarations import SourceDeclaration, load_declarations
from orchestration.sources.files import load_inbox
from tests import parsed

SHOP = Path(__file__).parents[1] / "fixtures" / "shop"
_IGNORED = shutil.ignore_patterns("target", "logs", "__pycache__")


@dataclass(frozen=True)
class ShopSettings(Settings):
    """Settings whose dbt project and seeds are the copies of a test."""

    root: Path = Path()

    @property
    def dbt_project_dir(self) -> Path:
        return self.root / "dbt_project"

    @property
    def seeds_dir(self) -> Path:
        return self.root / "seeds"


@dataclass
class ShopProject:
    """A copied dbt project with its sources (`shop` alone, if nothing else is said), and one home."""

    root: Path
    home: Path
    sources: tuple[str, ...] = ("shop",)

    @property
    def settings(self) -> ShopSettings:
        return ShopSettings(home=self.home, root=self.root)

    @property
    def project_dir(self) -> Path:
        return self.root / "dbt_project"

    @property
    def declarations(self) -> dict[str, SourceDeclaration]:
        real = [name for name in self.sources if name != "shop"]
        found = load_declarations(["shop"], folder=SHOP) if "shop" in self.sources else {}
        return found | (load_declarations(real) if real else {})

    def copied_to(self, root: Path) -> ShopProject:
        """The project and its home as they are now, for a test that changes them."""
        shutil.copytree(self.root, root, ignore=parsed.IGNORED)
        return ShopProject(root, root / self.home.relative_to(self.root), self.sources)

    def add_to_seed(self, name: str, *lines: str) -> None:
        """Append lines to the copy of a seed."""
        path = self.root / "seeds" / f"{name}.csv"
        path.write_text(
            path.read_text(encoding="utf-8").rstrip("\n") + "\n" + "\n".join(lines) + "\n", encoding="utf-8"
        )

    def replace_seed(self, name: str, *lines: str) -> None:
        """Give the copy of a seed other lines; its header stays."""
        path = self.root / "seeds" / f"{name}.csv"
        path.write_text(
            "\n".join([path.read_text(encoding="utf-8").split("\n", 1)[0], *lines]) + "\n", encoding="utf-8"
        )

    def deliver(self, name: str, text: str, *, source: str = "shop") -> None:
        inbox = self.home / "inbox" / source
        inbox.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_text(text, encoding="utf-8")

    def load(self, load_id: str) -> None:
        load_inbox(self.settings, self.declarations, load_id)

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run dbt in this project and home; the caller judges the return code."""
        parsed.lend(self.settings)
        done = subprocess.run(
            [str(warehouse.DBT_EXECUTABLE), "--no-use-colors", *arguments, *warehouse.dbt_flags(self.settings)],
            env=warehouse.dbt_environment(self.settings), capture_output=True, text=True, check=False,
        )  # fmt: skip
        parsed.keep(self.settings)
        return done

    def build(self, *wanted: str, full: bool = False) -> BuildPlan:
        """Plan and build, as the nightly job does; fail with dbt's words.

        Args:
            wanted: models that the test reads; what they follow from and the tests of all that are built, and nothing else.
        """
        parsed.lend(self.settings)
        plan = warehouse.plan_of(self.settings, full=full)
        parsed.keep(self.settings)
        if wanted:
            names = _followed(self.settings, wanted)
            plan = replace(plan, chosen=tuple(sorted(names if plan.chosen is None else names & set(plan.chosen))))
        log = warehouse.run_build(self.settings, plan, full=full, tell=lambda _: None)
        found = self.settings.dbt_target / "run_results.json"
        assert found.exists(), log.read_text(encoding="utf-8")[-6000:]
        bad = [row for row in json.loads(found.read_text(encoding="utf-8"))["results"] if row["status"] not in GOOD]
        assert not bad, log.read_text(encoding="utf-8")[-6000:]
        return plan


def _followed(settings: Settings, wanted: Iterable[str]) -> set[str]:
    """Names of the wanted models, of all that they follow from, and of the tests that need nothing else."""
    manifest = json.loads((settings.dbt_target / "manifest.json").read_text(encoding="utf-8"))
    nodes, parents = manifest["nodes"], manifest["parent_map"]
    ids = {node["name"]: key for key, node in nodes.items() if node["resource_type"] in {"model", "seed"}}
    kept: set[str] = set()
    asked = [ids[name] for name in wanted]
    while asked:
        key = asked.pop()
        if key not in kept:
            kept.add(key)
            asked.extend(parents.get(key, []))
    tests = {
        key for key, node in nodes.items() if node["resource_type"] == "test" and set(parents.get(key, [])) <= kept
    }
    return {nodes[key]["name"] for key in kept | tests if key in nodes}


def make_shop_project(root: Path, *sources: str) -> ShopProject:
    """Copy the dbt project and the seeds below `root`, and add the shop's staging. `sources`: other ones than the shop alone."""
    shutil.copytree(PROJECT_ROOT / "dbt_project", root / "dbt_project", ignore=_IGNORED)
    shutil.copytree(PROJECT_ROOT / "seeds", root / "seeds")
    if not sources or "shop" in sources:
        shutil.copytree(SHOP / "staging", root / "dbt_project" / "models" / "staging" / "shop")
    home = root / "home"
    home.mkdir()
    project = ShopProject(root, home, sources or ("shop",))
    switch = project.project_dir / "dbt_project.yml"
    feeds = "".join(f"    {name}: {json.dumps(found.feeds)}\n" for name, found in project.declarations.items())
    text, switched = re.subn(r"  sources:\n(    .*\n)+", f"  sources:\n{feeds}", switch.read_text(encoding="utf-8"))
    assert switched == 1
    switch.write_text(text, encoding="utf-8")
    return project


@contextmanager
def opened(project: ShopProject) -> Iterator[duckdb.DuckDBPyConnection]:
    """The built warehouse, for questions."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{project.settings.raw_path}' as raw (read_only)")
        connection.execute(f"attach '{project.settings.warehouse_path}' as warehouse (read_only)")
        connection.execute("use warehouse.marts")
        yield connection


_RECORDS = {("marts", "fct_customer_key_changes")}
"""What a home has said, load by load: nothing that could be computed anew, so two homes differ in it."""


def table_names(path: Path) -> list[tuple[str, str]]:
    """(schema, table or view) of everything dbt built in the intermediate and marts schemas, records of the past left out."""
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_schema in ('intermediate', 'marts') and table_catalog = current_database() order by 1, 2"
        ).fetchall()
    return [(schema, table) for schema, table in rows if (schema, table) not in _RECORDS]


def differences(left: ShopProject, right: ShopProject, *, ignore: frozenset[str] = frozenset()) -> dict[str, int]:
    """Rows that stand in one of the two warehouses only, by table; empty when they are equal."""
    tables = table_names(left.settings.warehouse_path)
    assert tables == table_names(right.settings.warehouse_path)
    found: dict[str, int] = {}
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{left.settings.raw_path}' as raw (read_only)")
        connection.execute(f"attach '{left.settings.warehouse_path}' as warehouse (read_only)")
        left_dir = left.home / "compared"
        left_dir.mkdir(exist_ok=True)
        for schema, table in tables:
            connection.execute(f'create or replace table memory.main."left_{table}" as from warehouse.{schema}.{table}')
        connection.execute("detach warehouse")
        connection.execute("detach raw")
        connection.execute(f"attach '{right.settings.raw_path}' as raw (read_only)")
        connection.execute(f"attach '{right.settings.warehouse_path}' as warehouse (read_only)")
        for schema, table in tables:
            excluded = sorted(
                ignore & {r[0] for r in connection.execute(f"describe warehouse.{schema}.{table}").fetchall()}
            )
            columns = f"* exclude ({', '.join(excluded)})" if excluded else "*"
            a, b = (
                f'select {columns} from memory.main."left_{table}"',
                f"select {columns} from warehouse.{schema}.{table}",
            )
            row = connection.execute(
                f"select (select count(*) from ({a} except all {b})) + (select count(*) from ({b} except all {a}))"
            ).fetchone()
            if row and row[0]:
                found[f"{schema}.{table}"] = row[0]
    return found
