"""Texts that real people wrote, through the real models: complaints to a consumer authority, and reviews of restaurants that are no complaints to us.

Each text is the first message of a ticket whose kind nobody says, so that the text alone decides.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.warehouse.shop_project import make_shop_project, opened

READ = ("fct_complaints", "int_complaint_signs")

pytestmark = pytest.mark.real_data

MADE = "2026-03-02 01:00:00Z"


@pytest.fixture(scope="module")
def texts(real_data: Path) -> pl.DataFrame:
    """Tickets: name, set (narrative, unhappy, happy), text."""
    narratives = (
        pl.read_csv(real_data / "cfpb_complaints" / "complaints_sample.csv", infer_schema=False)
        .select(text=pl.col("Consumer complaint narrative"))
        .drop_nulls()
        .with_columns(of=pl.lit("narrative"))
    )
    reviews = pl.read_csv(real_data / "zh_reviews" / "waimai_10k.csv").select(
        text=pl.col("review"), of=pl.when(pl.col("label") == 1).then(pl.lit("happy")).otherwise(pl.lit("unhappy"))
    )
    return pl.concat([narratives, reviews]).with_row_index("number").with_columns(name=pl.format("t{}", "number"))


@pytest.fixture(scope="module")
def marts(texts: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    project = make_shop_project(tmp_path_factory.mktemp("texts"))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "customer", "kind", "status", "created", "updated", "deleted", "text"])
    writer.writerows(
        [name, "", "", "open", MADE, MADE, "no", text] for name, text in texts.select("name", "text").rows()
    )
    project.deliver("tickets_20260302.csv", out.getvalue())
    project.load("load-1")
    project.build(*READ, full=True)
    with opened(project) as connection:
        yield connection


@pytest.fixture(scope="module")
def judged(marts: duckdb.DuckDBPyConnection, texts: pl.DataFrame) -> pl.DataFrame:
    found = marts.execute(
        "select signs.ticket_id as name, cases.complaint_rule from warehouse.intermediate.int_complaint_signs as signs"
        " left join fct_complaints as cases on signs.ticket_id = cases.ticket_id"
    ).pl()
    return texts.join(found, on="name", how="left")


def test_narratives_to_an_authority(judged: pl.DataFrame) -> None:
    """All of them are complaints: what is found is the recall of the rules in English."""
    narratives = judged.filter(pl.col("of") == "narrative")
    assert narratives.height > 1_500
    assert narratives["complaint_rule"].is_not_null().mean() >= 0.6  # type: ignore[operator]


def test_reviews_are_no_complaints_to_us(judged: pl.DataFrame) -> None:
    """A review claims nothing. Of the happy ones next to none is taken for a complaint, of the unhappy ones those few that ask for something."""
    share = {
        of: rows["complaint_rule"].is_not_null().mean()
        for (of,), rows in judged.partition_by("of", as_dict=True).items()
    }
    assert share["happy"] <= 0.002  # type: ignore[operator]
    assert 0.005 <= share["unhappy"] <= 0.03  # type: ignore[operator]
