"""What every staging model promises: it reads its own source only, passes the load facts on, and loses and doubles no raw row.

The promises are held against the text of the models, and against rows: a small built-in company (with its planted damage) is loaded
and the staging views are asked for every raw row.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml

from orchestration import warehouse
from orchestration.contracts import load_contracts
from orchestration.demo import generate
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources.declarations import SourceDeclaration, load_declarations
from orchestration.sources.files import load_inbox

STAGING = PROJECT_ROOT / "dbt_project" / "models" / "staging"
DECLARED = load_declarations()


@dataclass(frozen=True)
class StagingModel:
    """One staging model as its file has it."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def source(self) -> str:
        return self.path.parent.name

    @property
    def feed(self) -> str:
        return self.path.stem.split("__", 1)[1]

    @property
    def tables(self) -> set[str]:
        """Raw tables whose rows the model passes on (loops over tables and columns unrolled)."""
        named = set(re.findall(r"load_facts\('(\w+)'", self.text))
        if re.search(r"load_facts\(table\b", self.text):
            looped = re.search(r"(?s)\{% (?:set parts =|for table(?:, .*?)? in) \[(.*?)\]", self.text)
            assert looped, f"{self.path.name}: load_facts(table) outside of a loop this test can read"
            named |= set(re.findall(r"\('(\w+)'", looped[1]) or re.findall(r"'(\w+)'", looped[1]))
        return named

    @property
    def lookups(self) -> set[str]:
        found = re.search(r"'lookups': \[(.*?)\]", self.text)
        return set(re.findall(r"'([\w.]+)'", found[1])) if found else set()


MODELS = [StagingModel(path) for path in sorted(STAGING.glob("*/stg_*.sql"))]

_PROJECT = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
# The rows of the other sources are looked at where their files are: tests/acceptance.
ENABLED_MODELS = [model for model in MODELS if model.source in _PROJECT["vars"]["sources"]]


def _id(model: StagingModel) -> str:
    return model.path.stem


@pytest.mark.parametrize("model", MODELS, ids=_id)
def test_model_reads_its_own_source_and_passes_the_load_facts(model: StagingModel) -> None:
    assert model.path.name.startswith(f"stg_{model.source}__")
    assert model.feed in load_contracts(), f"there is no feed {model.feed!r}"
    assert model.text.startswith("{{ config(enabled='" + model.source + "' in var('sources')")
    assert set(re.findall(r"source\('(\w+)'", model.text)) == {model.source}
    assert "ref(" not in model.text
    assert model.tables, "no load_facts(): its rows could not be traced to a file"
    assert not re.search(r"\b(limit|distinct)\b", re.sub(r"--.*", "", model.text)), "rows would be lost"


@pytest.mark.parametrize("source", DECLARED)
def test_declared_feeds_are_those_of_the_models(source: str) -> None:
    declaration = DECLARED[source]
    models = [model for model in MODELS if model.source == source]
    assert set(declaration.feeds) == {model.feed for model in models}
    for table in declaration.tables.values():
        assert set(table.feeds) == {model.feed for model in models if table.name in model.tables}, table.name
    looked_up = {name.split(".")[1] for model in models for name in model.lookups}
    unread = {table.name for table in declaration.tables.values() if not table.feeds}
    assert unread <= looked_up, f"no feed and no look-up reads {unread - looked_up}"


def test_sources_var_names_declared_feeds() -> None:
    for source, feeds in _PROJECT["vars"]["sources"].items():
        assert set(feeds) == set(DECLARED[source].feeds), source


def test_each_raw_table_is_named_as_a_dbt_source() -> None:
    for source, declaration in DECLARED.items():
        named = yaml.safe_load((STAGING / source / f"_{source}__sources.yml").read_text(encoding="utf-8"))["sources"]
        assert {table["name"] for table in named[0]["tables"]} == set(declaration.tables), source
        assert named[0]["schema"] == f"raw_{source}"


# -- the rows -----------------------------------------------------------------------------------------------------------

EQUAL_LINES = [
    "1577808000|1.1|NONE|NONE|DID|10088||||",
    "1577808001|1.1|NONE|NONE|HANGUP|||||",
    "1577808000|1.1|NONE|NONE|DID|10088||||",
]


@dataclass(frozen=True)
class Staged:
    """A loaded home with its staging views."""

    connection: duckdb.DuckDBPyConnection
    declarations: dict[str, SourceDeclaration]

    def count(self, query: str) -> int:
        row = self.connection.execute(f"select count(*) from ({query})").fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    generate(settings.inbox, customers=60, months=2, end=date(2026, 3, 20))
    (settings.inbox / "asterisk" / "queue_log_20200101").write_text("\n".join(EQUAL_LINES) + "\n", encoding="utf-8")
    declarations = load_declarations(list(_PROJECT["vars"]["sources"]))
    load_inbox(settings, declarations, "load-1")
    done = subprocess.run(
        [str(warehouse.DBT_EXECUTABLE), "run", "--select", "staging", *warehouse.dbt_flags(settings)],
        env=warehouse.dbt_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{settings.raw_path}' as raw (read_only)")
        connection.execute(f"attach '{settings.warehouse_path}' as warehouse (read_only)")
        yield Staged(connection, declarations)


def test_every_raw_row_is_in_a_feed_of_its_table(staged: Staged) -> None:
    for source, declaration in staged.declarations.items():
        for table in declaration.tables.values():
            if not table.feeds:
                continue
            seen = " union ".join(
                f"select _file_id, _record_number from warehouse.staging.stg_{source}__{feed} where _table = '{table.name}'"
                for feed in table.feeds
            )
            lost = f"select _file_id, _record_number from raw.raw_{source}.{table.name} except ({seen})"
            invented = f"({seen}) except select _file_id, _record_number from raw.raw_{source}.{table.name}"
            assert staged.count(lost) == 0, f"{source}.{table.name}: raw rows that no feed has seen"
            assert staged.count(invented) == 0, f"{source}.{table.name}: rows that raw does not have"


@pytest.mark.parametrize("model", ENABLED_MODELS, ids=_id)
def test_no_raw_row_is_doubled(staged: Staged, model: StagingModel) -> None:
    relation = f"warehouse.staging.{model.path.stem}"
    columns = {row[0] for row in staged.connection.execute(f"describe {relation}").fetchall()}
    parts = "_table, _file_id, _record_number" + (", _sub_record" if "_sub_record" in columns else "")
    assert staged.count(f"select 1 from {relation} group by {parts} having count(*) > 1") == 0


@pytest.mark.parametrize("model", ENABLED_MODELS, ids=_id)
def test_damaged_records_are_one_row_each(staged: Staged, model: StagingModel) -> None:
    relation = f"warehouse.staging.{model.path.stem}"
    assert (
        staged.count(
            f"select 1 from {relation} where _problem is not null group by _table, _file_id, _record_number having count(*) > 1"
        )
        == 0
    )


def test_equal_lines_of_a_log_stay_apart_and_get_the_same_keys_every_time(staged: Staged) -> None:
    # The key by another way: text and count of the line in its file.
    expected = []
    for number, line in enumerate(EQUAL_LINES):
        ordinal = EQUAL_LINES[: number + 1].count(line)
        expected.append(f"{hashlib.md5(line.encode()).hexdigest()}-{ordinal}")
    found = staged.connection.execute(
        "select call_event_id from warehouse.staging.stg_asterisk__call_events where _delivery = '20200101' order by _record_number"
    ).fetchall()
    assert [row[0] for row in found] == expected
    assert len(set(expected)) == 3
