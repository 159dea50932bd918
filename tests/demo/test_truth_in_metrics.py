"""The province that has a bad month stands out in the metrics that the truth says it spoils, and in no other.

A company of few customers who call often, so that every province has enough calls, answers and complaints to judge; two
months, of which the second is the bad one. Judged is the step from the first month to the second.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dashboards.data.intervals import Z
from dashboards.data.metrics import Filters, catalogue, metric_value
from dashboards.data.snapshot import Snapshot, SnapshotStore
from tests.conftest import csatlas, refreshed

pytestmark = pytest.mark.slow

SPOILT = {
    "service_level": "up",
    "service_level_abandons_bad": "up",
    "abandonment_rate": "down",
    "average_handle_time": "none",
    "sla_attainment": "up",
    "full_resolution_mean": "down",
    "csat_top2": "up",
    "csat_mean": "up",
    "complaint_share": "down",
}
"""What fewer agents, longer calls, late repairs and the shock must spoil, with the direction that is better."""
MORE = ("complaints", "calls_offered", "tickets_created")
"""What a demand of 1.38 and the shock must raise."""
UNTOUCHED = ("hold_rate", "transfer_rate", "identification_rate", "schedule_adherence", "ring_no_answer_rate")
"""What the truth leaves alone."""
STANDS_OUT = 3.0
"""Standard errors. Chance passes it, one-sided, in one of 740 steps."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("bad_month") / "home"
    made = csatlas(
        found, "demo", "--customers", "700", "--calls", "20000", "--tickets", "2500", "--months", "2", "--until", "2026-09-30", "--clean",
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    refreshed(found)
    return found


@pytest.fixture(scope="module")
def truth(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "demo" / "truth.json").read_text(encoding="utf-8"))["bad_province"]
    return found


@pytest.fixture(scope="module")
def snapshot(home: Path) -> Iterator[Snapshot]:
    with closing(SnapshotStore(home / "serving")) as store:
        yield store.current()


@pytest.fixture(scope="module")
def provinces(snapshot: Snapshot) -> list[str]:
    rows = snapshot.rows("select org_unit_id from dim_org_units where unit_level = 'province' order by 1")
    assert len(rows) == 6
    return [row["org_unit_id"] for row in rows]


def step(snapshot: Snapshot, name: str, province: str, truth: dict[str, Any]) -> float:
    """Change from the month before to the bad month, in standard errors."""
    bad = date.fromisoformat(truth["first_day"]), date.fromisoformat(truth["last_day"])
    before = date(bad[0].year, bad[0].month - 1, 1), date.fromordinal(bad[0].toordinal() - 1)
    then, now = (
        metric_value(snapshot, name, Filters(start=first, end=last, units=(province,))) for first, last in (before, bad)
    )
    assert then.value is not None and now.value is not None
    if catalogue(snapshot)[name].type == "count":
        return (now.value - then.value) / math.sqrt(now.value + then.value)
    assert None not in (then.low, then.high, now.low, now.high), name
    errors = [(one.high - one.low) / (2 * Z) for one in (then, now)]  # type: ignore[operator]
    return (now.value - then.value) / math.hypot(*errors)


def test_the_truth_names_the_second_month(truth: dict[str, Any]) -> None:
    assert (truth["first_day"], truth["last_day"]) == ("2026-09-01", "2026-09-30")
    assert truth["effects"]["demand_factor"] > 1 > truth["effects"]["staff_factor"]


@pytest.mark.parametrize("name", [*SPOILT, *MORE])
def test_the_bad_province_stands_out_and_no_other(
    snapshot: Snapshot, provinces: list[str], truth: dict[str, Any], name: str
) -> None:
    sign = -1 if SPOILT.get(name) == "up" else 1
    if name in SPOILT:
        assert catalogue(snapshot)[name].direction == SPOILT[name]
    worse = {province: sign * step(snapshot, name, province, truth) for province in provinces}
    assert {province for province, by in worse.items() if by > STANDS_OUT} == {truth["unit_code"]}, worse
    assert max(worse, key=lambda province: worse[province]) == truth["unit_code"]


def test_nowhere_else_do_callers_wait_so_much_longer(
    snapshot: Snapshot, provinces: list[str], truth: dict[str, Any]
) -> None:
    """Judged in seconds: callers who stood in one queue waited together, so a mean of waits is less sure than its interval says."""
    bad = date.fromisoformat(truth["first_day"])
    longer = {}
    for province in provinces:
        now, before = (
            metric_value(snapshot, "average_speed_of_answer", Filters(units=(province,), **days)).value  # type: ignore[arg-type]
            for days in ({"start": bad}, {"end": date.fromordinal(bad.toordinal() - 1)})
        )
        assert now is not None and before is not None
        longer[province] = now - before
    others = [by for province, by in longer.items() if province != truth["unit_code"]]
    assert longer[truth["unit_code"]] > 2 * max(others) > 0, longer


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_the_truth_leaves_alone_does_not_move(
    snapshot: Snapshot, provinces: list[str], truth: dict[str, Any], name: str
) -> None:
    metric = catalogue(snapshot)[name]
    if metric.interval == "none":
        values = {
            province: metric_value(
                snapshot, name, Filters(start=date.fromisoformat(truth["first_day"]), units=(province,))
            ).value
            for province in provinces
        }
        others = [value for province, value in values.items() if province != truth["unit_code"] and value is not None]
        bad = values[truth["unit_code"]]
        assert bad is not None and abs(bad - sum(others) / len(others)) < 0.02, values
        return
    assert abs(step(snapshot, name, truth["unit_code"], truth)) < STANDS_OUT


def test_the_size_of_the_effects_is_the_truths(snapshot: Snapshot, truth: dict[str, Any]) -> None:
    """Calls are longer by the factor of the truth, as far as two months of calls can tell (a twentieth)."""
    bad = date.fromisoformat(truth["first_day"])
    here, before = (
        metric_value(snapshot, "average_handle_time", Filters(units=(truth["unit_code"],), **days)).value  # type: ignore[arg-type]
        for days in ({"start": bad}, {"end": date.fromordinal(bad.toordinal() - 1)})
    )
    assert here is not None and before is not None
    assert here / before == pytest.approx(truth["effects"]["handle_factor"], rel=0.05)
