"""The leak check inside the pipeline: a column that knows the future is planted into the features of the real project, and the run leaves it out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from orchestration.sources.declarations import load_declarations
from tests.warehouse.shop_project import ShopProject, make_shop_project

pytestmark = pytest.mark.slow

SOURCES = ("zendesk", "asterisk", "surveys", "crm", "billing", "retention")
MODELS = ("ftr_contract_spells", "ftr_customer_risk", "ftr_customer_risk_check", "score_risk_model", "score_customer_risk", "fct_customer_risk")  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, demo_home: Path) -> ShopProject:
    """The three months of the small company, with a horizon of 30 days so that they hold past days."""
    project = make_shop_project(tmp_path_factory.mktemp("leak"), *SOURCES)
    shutil.rmtree(project.home)
    shutil.copytree(demo_home, project.home, symlinks=True)
    assert load_declarations(list(SOURCES))
    seed = project.root / "seeds" / "service_thresholds.csv"
    text = seed.read_text(encoding="utf-8")
    for old, new in (
        ("risk_horizon,7776000", "risk_horizon,2592000"),
        ("risk_history,5184000", "risk_history,864000"),
    ):
        assert old in text
        text = text.replace(old, new)
    seed.write_text(text, encoding="utf-8")
    # The plant: days to the end of the contract, which the billing system knows only afterwards.
    macro = project.project_dir / "macros" / "marts" / "risk.sql"
    text = macro.read_text(encoding="utf-8")
    for old, new in (
        ("        count(*) as contracts,", "        count(*) as contracts,\n        least(min(here.last_on - here.as_of), 1000) as days_to_end,"),
        ("    cast(base.contracts as integer) as contracts,", "    cast(base.contracts as integer) as contracts,\n    cast(base.days_to_end as integer) as days_to_end,"),
    ):  # fmt: skip
        assert text.count(old) == 1
        text = text.replace(old, new)
    macro.write_text(text, encoding="utf-8")
    project.add_to_seed("risk_features", "days_to_end,number,contract_term,Planted")
    for arguments in (("seed",), ("run", "--select", *MODELS)):
        done = project.dbt(*arguments)
        assert done.returncode == 0, done.stdout[-4000:]
    return project


@pytest.fixture(scope="module")
def rows(planted: ShopProject) -> Callable[[str], list[tuple[object, ...]]]:
    def ask(query: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(planted.settings.warehouse_path), read_only=True) as connection:
            return connection.execute(query).fetchall()

    return ask


def test_the_planted_column_is_found_and_left_out(rows: Callable[[str], list[tuple[object, ...]]]) -> None:
    found = rows("select verdict, message from scores.score_risk_model where feature = 'days_to_end'")
    assert len(found) == 1
    verdict, message = found[0]
    assert verdict == "knows_the_future"
    assert str(message).startswith("days_to_end: ") and "change when what came later is taken away" in str(message)


def test_no_real_feature_knows_the_future(rows: Callable[[str], list[tuple[object, ...]]]) -> None:
    assert rows("select feature, message from scores.score_risk_model where verdict = 'knows_the_future'") == rows(
        "select feature, message from scores.score_risk_model where feature = 'days_to_end'"
    )
    # The check looked at somebody, and at a day before the last.
    assert rows("select count(*) > 100, max(as_of) < (select max(as_of) from features.ftr_customer_risk) from features.ftr_customer_risk_check") == [(True, True)]  # fmt: skip


def test_everybody_with_a_running_contract_has_a_row(rows: Callable[[str], list[tuple[object, ...]]]) -> None:
    """Counted from the contracts themselves."""
    assert rows("select count(*), count(distinct customer_key) from marts.fct_customer_risk") == rows(
        "select count(distinct customer_key), count(distinct customer_key) from features.ftr_contract_spells"
        " where customer_key is not null and last_on > known_until"
    )


def test_three_months_teach_no_model_and_say_so(rows: Callable[[str], list[tuple[object, ...]]]) -> None:
    assert rows(
        "select distinct risk_band, no_score_reason, churn_probability, value_at_risk, reason_1 from marts.fct_customer_risk"
    ) == [("unknown", "too_little_history", None, None, None)]
    assert rows("select count(*) from scores.score_risk_model where verdict = 'too_good'") == [(0,)]
