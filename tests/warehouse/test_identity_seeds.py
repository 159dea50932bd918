"""The checks of identity_overrides.csv and identity_model.csv, run as they are written on lines that nobody could follow."""

from __future__ import annotations

import re

import duckdb
import polars as pl
import pytest
from jinja2 import Environment

from orchestration.modelling.record_linkage import check_parameters
from orchestration.settings import PROJECT_ROOT

CHECKS = PROJECT_ROOT / "dbt_project" / "tests"
COLUMNS = "decision varchar, source varchar, customer_id varchar, other_source varchar, other_customer_id varchar"


def _run(check: str, *lines: str) -> list[tuple[object, ...]]:
    text = (CHECKS / f"{check}.sql").read_text(encoding="utf-8")
    sql = Environment().from_string(text).render(
        ref=lambda name: name, config=lambda **_: "", refused_with=lambda message: f"cast(error({message}) as varchar) = ''"
    )  # fmt: skip
    with duckdb.connect() as connection:
        connection.execute(f"create table identity_overrides ({COLUMNS})")
        connection.execute(
            "create table int_customer_links as select 'crm' as source, 'K1' as customer_id, 'k' as customer_key union all select 'crm', 'K2', 'l'"
        )
        for line in lines:
            connection.execute(
                "insert into identity_overrides values (?, ?, ?, ?, ?)", [part or None for part in line.split(",")]
            )
        return connection.execute(sql).fetchall()


def test_the_delivered_seed_and_a_sound_one_pass() -> None:
    lines = (PROJECT_ROOT / "seeds" / "identity_overrides.csv").read_text(encoding="utf-8").strip().split("\n")[1:]
    assert _run("identity_overrides_are_clear", *[",".join(line.split(",")[:5]) for line in lines]) == []
    assert (
        _run("identity_overrides_are_clear", "confirm,crm,K1,crm,K2", "break,crm,K1,crm,K3", "confirm,crm,K1,crm,K2")
        == []
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["join,crm,K1,crm,K2"],
            'the line "join,crm,K1,crm,K2" has no decision that is known; write confirm or break.',
        ),
        ([",crm,K1,crm,K2"], "write confirm or break."),
        (["confirm,crm,K1,crm,"], 'the line "confirm,crm,K1,crm," names no two customers'),
        (["break,crm,K1,crm,K1"], "names no two customers"),
        (
            ["confirm,crm,K1,crm,K2", "break,crm,K2,crm,K1"],
            "say confirm and break of the same two customers; keep one.",
        ),
        (
            ["confirm,crm,K1,crm,K2", "confirm,crm,K3,crm,K2", "break,crm,K1,crm,K3"],
            'the line "break,crm,K1,crm,K3" breaks what two other lines confirm through crm K2; take one of the three out.',
        ),
    ],
)
def test_lines_that_nobody_could_follow_stop_the_build(lines: list[str], message: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=re.escape(message)):
        _run("identity_overrides_are_clear", *lines)


def test_a_line_about_somebody_unknown_is_named_in_a_warning() -> None:
    assert _run("identity_overrides_name_known_customers", "confirm,crm,K1,crm,K2") == []
    assert _run("identity_overrides_name_known_customers", "confirm,crm,K1,crm,K9") == [
        ("identity_overrides.csv names crm K9, whom no source has sent",)
    ]
    text = (CHECKS / "identity_overrides_name_known_customers.sql").read_text(encoding="utf-8")
    assert "severity='warn'" in text


@pytest.fixture
def parameters() -> pl.DataFrame:
    return pl.read_csv(PROJECT_ROOT / "seeds" / "identity_model.csv", schema_overrides={"u_probability": pl.Float64})


def test_parameters_of_the_model(parameters: pl.DataFrame) -> None:
    check_parameters(parameters)
    sums = (
        parameters.filter(pl.col("comparison") != "prior")
        .group_by("population", "comparison")
        .agg(pl.col("m_probability", "u_probability").sum())
    )
    assert sums.filter((pl.col("m_probability") - 1).abs() > 1e-9).is_empty()
    assert sums.filter((pl.col("u_probability") - 1).abs() > 1e-3).is_empty()
    with pytest.raises(ValueError, match="0 times"):
        check_parameters(parameters.slice(1))
    with pytest.raises(ValueError, match="2 times"):
        check_parameters(pl.concat([parameters, parameters.head(1)]))
    with pytest.raises(ValueError, match="nothing is called"):
        check_parameters(pl.concat([parameters, parameters.tail(1).with_columns(agreement=pl.lit("held"))]))
    with pytest.raises(ValueError, match="above 0"):
        check_parameters(parameters.with_columns(m_probability=pl.col("m_probability") - 0.7))
