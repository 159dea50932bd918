"""One home with the four public data sets, brought in by the real command, for every acceptance test.

The tests compute what they expect from the files themselves, with polars or plain Python and not with the models' SQL.
`CSATLAS_REAL_DATA` names the folder that has them; without it all of these tests are skipped.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.settings import Settings
from tests.conftest import csatlas

SOURCES = ("retail_bank", "anonymous_bank_calls", "uci_incidents", "sfo_surveys")
# The bank's calls have their days in Israel; the units of the retail bank name their own zone, the other two have no clock times that matter.
TIME_ZONE = "Asia/Jerusalem"
# Where and when a row was loaded: differs between two homes with the same data.
LOAD_FACTS = frozenset(
    {
        "file_id",
        "file_name",
        "load_id",
        "loaded_at",
        "delivery",
        "record_number",
        "sub_record",
        "seconds",
        "content",
    }
)


def file_rows(path: Path, delimiter: str = ",") -> list[list[str]]:
    """Records of a delimited file, header first, read by Python's own csv module."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = io.StringIO(content.decode("utf-8-sig"), newline="")
    # The one file with tabs has no quoting.
    found = (
        csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if delimiter == "\t"
        else csv.reader(lines, delimiter=delimiter)
    )
    return list(found)


@dataclass(frozen=True)
class RealHome:
    """A home that holds the public data."""

    settings: Settings
    data: Path

    @contextmanager
    def connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Both databases, read-only, only for the moment: a refresh needs them for itself."""
        with duckdb.connect(":memory:") as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f"attach '{self.settings.raw_path}' as raw (read_only)")
            connection.execute(f"attach '{self.settings.warehouse_path}' as warehouse (read_only)")
            connection.execute("use warehouse.marts")
            yield connection

    def rows(self, query: str, parameters: list[object] | None = None) -> list[tuple[Any, ...]]:
        with self.connected() as connection:
            return connection.execute(query, parameters or []).fetchall()

    def one(self, query: str, parameters: list[object] | None = None) -> Any:
        """The single value of a query."""
        ((value,),) = self.rows(query, parameters)
        return value

    def refresh(self) -> dict[str, Any]:
        done = csatlas(self.settings.home, "refresh", "--json", env=self._env)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        record: dict[str, Any] = json.loads(done.stdout)
        return record

    def metric(self, name: str, *arguments: str) -> list[dict[str, Any]]:
        """A metric as the command line gives it, from the published snapshot."""
        done = csatlas(self.settings.home, "metric", name, *arguments, "--json", env=self._env)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    @property
    def _env(self) -> dict[str, str]:
        return {"CSATLAS_SOURCES": ",".join(SOURCES), "CSATLAS_TIME_ZONE": TIME_ZONE}

    def contents(self, without: frozenset[str] = frozenset()) -> dict[str, tuple[int, int]]:
        """Number of rows and sum of their hashes, of every mart, leaving the columns `without` out."""
        found: dict[str, tuple[int, int]] = {}
        with self.connected() as connection:
            marts = connection.execute(
                "select table_name, list(column_name order by column_name) from information_schema.columns"
                " where table_catalog = 'warehouse' and table_schema = 'marts' group by table_name order by table_name"
            ).fetchall()
            for mart, columns in marts:
                kept = ", ".join(f'"{column}"' for column in columns if column not in without)
                count, total = connection.execute(
                    f'select count(*), coalesce(sum(cast(hash({kept}) as hugeint)), 0) from "{mart}"'
                ).fetchall()[0]
                found[mart] = (count, int(total))
        return found


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the public data sets."""
    folder = os.environ.get("CSATLAS_REAL_DATA")
    if not folder:
        pytest.skip("CSATLAS_REAL_DATA is not set: it names the folder with the public data sets (docs/real-data.md)")
    missing = [source for source in SOURCES if not (Path(folder) / source).is_dir()]
    assert not missing, f"CSATLAS_REAL_DATA={folder} lacks {missing}"
    return Path(folder)


@pytest.fixture(scope="session")
def real_home(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> RealHome:
    """The files as they are, linked into the inbox, after one `csatlas refresh`."""
    home = RealHome(
        Settings(home=tmp_path_factory.mktemp("real") / "home", sources=SOURCES, time_zone=TIME_ZONE), real_data
    )
    for source in SOURCES:
        inbox = home.settings.inbox / source
        inbox.mkdir(parents=True)
        for path in (real_data / source).iterdir():
            (inbox / path.name).symlink_to(path)
    record = home.refresh()
    assert record["outcome"] == "published"
    return home
