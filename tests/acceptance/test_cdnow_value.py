"""The public sample of CDNOW from the inbox to the marts of lifetime value, against what was published and against what came."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.warehouse.shop_project import make_shop_project, opened

READ = ("fct_customer_value", "fct_value_parameters")

pytestmark = pytest.mark.slow

CALIBRATION = "19970930"


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The 39 weeks of the published calibration, through every model."""
    folder = os.environ.get("CSATLAS_REAL_DATA")
    if not folder:
        pytest.skip("CSATLAS_REAL_DATA names no folder with the public data")
    lines = (Path(folder) / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()
    project = make_shop_project(tmp_path_factory.mktemp("cdnow"), "cdnow")
    project.replace_seed("value_rules", "orders,0.3,0.15,12,100,200000", "contract,,0.1,36,100,200000")
    kept = [line for line in lines if line.strip() and line.split()[2] <= CALIBRATION]
    project.deliver("CDNOW_sample.txt", "\n".join(kept) + "\n", source="cdnow")
    project.load("load-1")
    project.build(*READ, full=True)
    with opened(project) as connection:
        yield connection


def parameters(marts: duckdb.DuckDBPyConnection, model: str) -> dict[str, float]:
    rows = marts.execute(
        "select parameter, parameter_value from fct_value_parameters where model = ? and source = 'cdnow'", [model]
    ).fetchall()
    return dict(rows)


def test_the_published_parameters(marts: duckdb.DuckDBPyConnection) -> None:
    purchases = {name: round(value, 3) for name, value in parameters(marts, "bg_nbd").items()}
    assert purchases == {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    money = {name: round(value, 2) for name, value in parameters(marts, "gamma_gamma").items()}
    assert money == {"p": 6.25, "q": 3.74, "gamma": 15.44}
    assert marts.execute("select distinct histories from fct_value_parameters where model = 'bg_nbd'").fetchall() == [
        (2357,)
    ]


def test_the_half_year_before_foretold_what_came(marts: duckdb.DuckDBPyConnection) -> None:
    """Of those who had bought by 1997-04-03, counted again from the lines: at most a quarter beside it."""
    found = marts.execute(
        "select distinct backtest_expected, backtest_observed from fct_value_parameters where model = 'bg_nbd'"
    ).fetchall()
    assert len(found) == 1
    expected, observed = found[0]
    lines = [
        line.split()
        for line in (Path(os.environ["CSATLAS_REAL_DATA"]) / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()
        if line.strip()
    ]
    early = {row[1] for row in lines if row[2] <= "19970403"}
    assert observed == len(
        {(row[1], row[2]) for row in lines if row[1] in early and "19970403" < row[2] <= CALIBRATION}
    )
    assert expected == pytest.approx(observed, rel=0.25)


def test_every_customer_has_a_value(marts: duckdb.DuckDBPyConnection) -> None:
    row = marts.execute(
        """
        select count(*), count(lifetime_value), min(probability_alive), max(probability_alive), bool_and(lifetime_value_low <= lifetime_value), 
            bool_and(lifetime_value <= lifetime_value_high), bool_and(abs(expected_margin - 0.3 * expected_revenue) < 1e-6),
            bool_and(lifetime_value <= expected_margin), max(as_of) = date '1997-09-30'
        from fct_customer_value
        """
    ).fetchone()
    assert row is not None
    assert row[:2] == (2357, 2357)
    assert 0 <= row[2] < 0.1 and row[3] == 1
    assert row[4:] == (True, True, True, True, True)


def test_what_came_in_the_next_39_weeks(marts: duckdb.DuckDBPyConnection) -> None:
    """Expected purchases of 12 months hold those of the 39 weeks that came."""
    row = marts.execute("select sum(expected_purchases) from fct_customer_value").fetchone()
    assert row is not None
    lines = [
        line.split()
        for line in (Path(os.environ["CSATLAS_REAL_DATA"]) / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()
        if line.strip()
    ]
    came = len({(item[1], item[2]) for item in lines if item[2] > CALIBRATION})
    # A year is a third longer than 39 weeks, and purchases thin out.
    assert came < row[0] < came * 52 / 39 * 1.05
