"""A build leaves out what nothing has changed for, and nothing else."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import duckdb
import pytest

from orchestration import warehouse
from orchestration.build_plan import BuildPlan
from orchestration.serving import gate
from tests.warehouse.shop_project import ShopProject, differences, make_shop_project
from tests.warehouse.test_incremental_equals_full import Deliveries

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    """The shop, all but one of its files loaded and built."""
    made = make_shop_project(tmp_path_factory.mktemp("shop"))
    files = Deliveries(5).files
    for name in sorted(files)[:-1]:
        made.deliver(name, files[name])
    made.load("first")
    assert made.build().chosen is None
    return made


def _names(project: ShopProject) -> set[str]:
    """Models, seeds and tests with a result."""
    found = json.loads((project.settings.dbt_target / "run_results.json").read_text(encoding="utf-8"))["results"]
    return {row["unique_id"].split(".")[2] for row in found if not row["unique_id"].startswith("operation.")}


def _changes_nothing(plan: BuildPlan) -> bool:
    return plan.chosen == ()


def test_nothing_new_builds_nothing_and_still_has_every_result(project: ShopProject) -> None:
    before = _names(project)
    plan = project.build()
    assert _changes_nothing(plan)
    assert _names(project) == before
    assert gate.judge(project.settings).is_open


def test_a_new_file_builds_what_follows_from_its_table(project: ShopProject) -> None:
    project.build()
    project.deliver("payments_20260401.csv", "id,customer,paid,amount\nP900,C1,2026-04-01 10:00:00,7.50\n")
    project.load("payments")
    plan = project.build()
    assert plan.chosen is not None
    chosen = set(plan.chosen)
    assert {"int_transactions", "fct_loads", "fct_load_accounting", "dim_sources"} <= chosen
    assert not {"int_calls", "int_tickets", "stg_shop__payments", "schedules"} & chosen
    assert all(result["unique_id"].split(".")[2] not in chosen for result in plan.carried)

    rebuilt = ShopProject(project.root, project.root / "rebuilt")
    rebuilt.home.mkdir()
    rebuilt.settings.raw_path.write_bytes(project.settings.raw_path.read_bytes())
    rebuilt.build(full=True)
    assert differences(project, rebuilt) == {}
    assert _changes_nothing(project.build())


def test_what_is_gone_is_built_again(project: ShopProject) -> None:
    project.build()
    with duckdb.connect(str(project.settings.warehouse_path)) as connection:
        connection.execute("drop table marts.dim_calendar")
    chosen = project.build().chosen
    assert chosen is not None and "dim_calendar" in chosen and "int_tickets" not in chosen


def test_a_dbt_run_of_ones_own_vouches_for_nothing(project: ShopProject) -> None:
    project.build()
    assert project.dbt("run", "--select", "dim_calendar").returncode == 0
    assert project.build().chosen is None


def test_another_time_zone_builds_what_has_local_days(project: ShopProject) -> None:
    project.build()
    settings = dataclasses.replace(project.settings, time_zone="Europe/Berlin")
    chosen = warehouse.plan_of(settings).chosen
    assert chosen is not None and "fct_backlog_days" in chosen and "int_phone_owners" not in chosen
    assert chosen != warehouse.plan_of(project.settings).chosen


def test_a_test_that_fails_is_asked_again(project: ShopProject) -> None:
    project.build()
    failing = project.project_dir / "tests" / "always_fails.sql"
    failing.write_text("select * from {{ ref('dim_calendar') }}\n", encoding="utf-8")
    try:
        for _ in range(2):
            with pytest.raises(AssertionError, match="always_fails"):
                project.build()
            assert not gate.judge(project.settings).is_open
            assert warehouse.plan_of(project.settings).chosen == ("always_fails",)
    finally:
        failing.unlink()


def test_a_build_that_was_stopped_vouches_for_nothing(project: ShopProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.build()
    project.deliver("payments_20260402.csv", "id,customer,paid,amount\nP901,C1,2026-04-02 10:00:00,7.50\n")
    project.load("stopped")

    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warehouse.run_build(project.settings, warehouse.plan_of(project.settings), full=False, tell=stop)
    assert not (project.settings.dbt_target / "run_results.json").exists()
    assert project.build().chosen is None


def test_changed_project_files_reach_a_dbt_that_was_waiting(project: ShopProject, tmp_path: Path) -> None:
    project.build()
    warehouse.warm_up(project.settings)
    model = next(project.project_dir.rglob("dim_calendar.sql"))
    text = model.read_text(encoding="utf-8")
    model.write_text(f"{text}\n-- edited while dbt waited\n", encoding="utf-8")
    try:
        chosen = project.build().chosen
        assert chosen is not None and "dim_calendar" in chosen
        compiled = next((project.settings.dbt_target / "compiled").rglob("dim_calendar.sql"))
        assert "edited while dbt waited" in compiled.read_text(encoding="utf-8")
    finally:
        model.write_text(text, encoding="utf-8")
        warehouse.cool_down(project.settings)


def test_a_dbt_that_died_while_it_waited_is_replaced(project: ShopProject) -> None:
    project.build()
    warehouse.warm_up(project.settings)
    waiting = warehouse._waiting[project.settings.home].process
    waiting.kill()
    waiting.wait()
    with duckdb.connect(str(project.settings.warehouse_path)) as connection:
        connection.execute("drop table marts.dim_calendar")
    chosen = project.build().chosen
    assert chosen is not None and "dim_calendar" in chosen
