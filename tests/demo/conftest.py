"""One small company for all tests of the generator (about two seconds)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from orchestration.demo import GeneratedCompany, generate
from orchestration.demo.delivery import SHAPES
from tests.conftest import company as at_home

END = date(2026, 4, 12)
OPTIONS: dict[str, Any] = {"seed": 7, "customers": 900, "months": 9}


@dataclass(frozen=True)
class Company:
    """A generated company with its truth, and its regular files read back as text."""

    made: GeneratedCompany
    truth: dict[str, Any]

    def read(self, table: str, newest: bool = False) -> pl.DataFrame:
        """Rows of a table's regular files (the marked, damaged ones left out); every column as text."""
        shape = SHAPES[table]
        folder = self.made.inbox / table.split(".")[0]
        files = sorted(folder.glob(f"{shape.stem}_{'[0-9]' * 8}{shape.suffix}"))
        assert files, f"no file of {table}"
        frames = [read_file(path, table) for path in (files[-1:] if newest else files)]
        return pl.concat(frames, how="vertical")

    def truth_table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.made.truth_path.parent / self.truth["tables"][name]["path"])


def read_file(path: Path, table: str) -> pl.DataFrame:
    from orchestration.demo.dirt import columns_of

    shape = SHAPES[table]
    if shape.suffix == ".parquet":
        return pl.read_parquet(path).cast(pl.String)
    if shape.suffix == ".jsonl":
        return pl.read_ndjson(path, infer_schema_length=None).cast(pl.String)
    content = path.read_bytes()
    if shape.suffix == ".csv.gz":
        import gzip

        content = gzip.decompress(content)
    encoding = shape.encoding
    text = content.decode(encoding)
    quote = None if shape.quotes == "never" else '"'
    frame = pl.read_csv(
        text.encode(), separator=shape.separator, has_header=shape.header, infer_schema=False, quote_char=quote
    )
    if not shape.header:
        frame.columns = columns_of(table)
    return frame


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    made = generate(tmp_path_factory.mktemp("company") / "inbox", end=END, **OPTIONS)
    return Company(made, json.loads(made.truth_path.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def clean_company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """The same company without planted damage."""
    made = generate(tmp_path_factory.mktemp("clean") / "inbox", end=END, dirty=False, **OPTIONS)
    return Company(made, json.loads(made.truth_path.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def default_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the company that `make run` shows, built as far as its alerts and its risks."""
    read = ("fct_alerts", "fct_control_points", "fct_customer_risk", "fct_risk_card", "fct_risk_features", "score_risk_backtest", "dim_customer_links", "value_labels")  # fmt: skip
    return at_home(tmp_path_factory.mktemp("default") / "home", "--until", "2026-11-26", read=read)
