"""Target and short-abandon seconds by queue, unit and day: every service level follows them, and a line that nobody could follow is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import pytest

from dashboards.data.metrics import Filters, metric_value
from dashboards.data.snapshot import Snapshot, open_snapshot
from orchestration.serving.build import build_snapshot
from tests.warehouse.shop_project import make_shop_project
from tests.warehouse.test_published_examples import Exchange

pytestmark = pytest.mark.slow

WAITS = [*range(0, 60, 3), 20, 30, 60]  # of as many answered and abandoned calls each
TARGETS = [
    "*,*,20,5,",
    "vip*,*,30,8,",
    "vip_gold,*,10,2,2026-01-06",
    "*,U2,60,12,",
    "night,*,0,0,",
]
# queue, unit, day of January 2026, hour in Shanghai -> target and short-abandon seconds, read off the lines above by hand
CASES = {
    ("hotline", "U1", 5, 12): (20, 5),
    ("vip_silver", "U1", 5, 12): (30, 8),
    ("vip_gold", "U1", 5, 23): (
        30,
        8,
    ),  # the last hour of the old target, though the seventh begins in UTC at 08:00 only
    ("vip_gold", "U1", 6, 0): (10, 2),  # midnight in Shanghai is 16:00 of the day before in UTC
    ("hotline", "U2", 8, 12): (60, 12),
    ("vip_gold", "U2", 9, 12): (10, 2),  # the queue's line is closer than the unit's
    ("night", "U1", 10, 12): (0, 0),
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    project = make_shop_project(tmp_path_factory.mktemp("targets"), "asterisk")
    project.replace_seed("service_level_targets", *TARGETS)
    exchange = Exchange()
    for queue, unit, day, hour in CASES:
        for wait in WAITS:
            for answered in (True, False):
                exchange.call(day, queue, wait=wait, answered=answered, unit=unit, hour=hour)
    exchange.write(project.home / "inbox" / "asterisk")
    project.load("load-1")
    project.build()
    with closing(open_snapshot(build_snapshot(project.settings, run_id="run-1").path)) as found:
        yield found


def by_hand(target: int, short: int) -> dict[str, tuple[int, int]]:
    """Numerator and denominator of each definition, counted over the waits."""
    a, a_t = len(WAITS), sum(wait <= target for wait in WAITS)
    b, b_t, b_s = len(WAITS), sum(wait <= target for wait in WAITS), sum(wait <= short for wait in WAITS)
    return {
        "service_level": (a_t, a),
        "service_level_abandons_good": (a_t + b_t, a + b),
        "service_level_abandons_bad": (a_t, a + b),
        "service_level_early_ignored": (a_t, a + b - b_t),
        "service_level_short_good": (a_t + b_s, a + b),
        "service_level_short_removed": (a_t, a + b - b_s),
        "service_level_flow_outs_in": (a_t, a + b),
        "service_level_by_queue_entry": (a_t, a),
        "abandonment_rate_without_short": (b - b_s, a + b - b_s),
    }


@pytest.mark.parametrize(("case", "seconds"), CASES.items(), ids=str)
def test_every_service_level_follows_the_target_of_its_queue(
    snapshot: Snapshot, case: tuple[str, str, int, int], seconds: tuple[int, int]
) -> None:
    queue, unit, day, _ = case
    here = Filters(start=date(2026, 1, day), end=date(2026, 1, day), where={"queue": (queue,)})
    for name, (numerator, denominator) in by_hand(*seconds).items():
        found = metric_value(snapshot, name, here)
        assert (found.numerator, found.denominator) == (numerator, denominator), name
    rows = snapshot.rows(
        f"select distinct target_seconds, short_abandon_seconds from fct_calls where queue = '{queue}' and org_unit_id = '{unit}' and started_on = '2026-01-{day:02}'"
    )
    assert [tuple(row.values()) for row in rows] == [seconds]


def test_targets_differ_and_the_whole_is_rolled_up_from_its_parts(snapshot: Snapshot) -> None:
    parts = [by_hand(*seconds)["service_level"] for seconds in CASES.values()]
    whole = metric_value(snapshot, "service_level", Filters())
    assert (whole.numerator, whole.denominator) == (sum(n for n, _ in parts), sum(d for _, d in parts))


REFUSED = {
    "service_level_targets": [
        (["*,*,20,5,", "vip,,30,5,"], '"vip,,30,5," has no queue or no org_unit_id; write * for any.'),
        (["*,*,20,5,", "vip,*,-30,5,"], '"vip,*,-30,5," has no target_seconds or short_abandon_seconds; write whole seconds from 0 on.'),
        (["*,*,20,5,", "vip,*,30,,"], '"vip,*,30,," has no target_seconds or short_abandon_seconds; write whole seconds from 0 on.'),
        (["*,*,20,5,", "v*p,*,30,5,"], '"v*p,*,30,5," has a * that is not the last sign of its pattern.'),
        (["*,*,20,5,", "vip,*,30,5,2026-01-01", "vip,*,40,5,2026-01-01"], '"vip,*,30,5,2026-01-01" and another one say different things'),
        (["*,*,20,5,2026-01-01"], '"*,*,20,5," is missing: one line has to hold for every queue and unit from the first day'),
    ],
    "level_one_scope": [
        (["colour,red,why"], '"colour,red,why" names no dimension that a contact has; write ticket_kind, topic or call_type.'),
        (["topic,unknown,why"], '"topic,unknown,why" has no value, or "unknown"'),
        (["topic,refund,why", "topic,refund,again"], '"topic,refund,again" stands there twice; keep one.'),
    ],
}  # fmt: skip


def test_lines_that_nobody_could_follow_are_refused_by_name(tmp_path: Path) -> None:
    """The first by a build; the others by the same compiled query over the same tables, for a build takes its time."""
    project = make_shop_project(tmp_path)
    project.load("load-1")
    chosen = ("build", "--select", "service_level_targets", "level_one_scope", "seed_lines_are_clear")
    accepted = project.dbt(*chosen)
    assert accepted.returncode == 0, accepted.stdout
    (compiled,) = (project.home / "dbt_target" / "compiled").rglob("seed_lines_are_clear.sql")
    query = compiled.read_text(encoding="utf-8")
    with duckdb.connect(str(project.settings.warehouse_path)) as warehouse:
        assert warehouse.execute(query).fetchall() == []
        for seed, cases in REFUSED.items():
            warehouse.execute(f"create temp table good as from seeds.{seed}")
            for lines, message in cases:
                warehouse.execute(f"delete from seeds.{seed}")
                for line in lines:
                    fields = [field or None for field in line.split(",")]
                    warehouse.execute(f"insert into seeds.{seed} values ({', '.join('?' * len(fields))})", fields)
                with pytest.raises(duckdb.Error) as refused:
                    warehouse.execute(query).fetchall()
                assert f"{seed}.csv: the line {message}" in str(refused.value)
            warehouse.execute(f"delete from seeds.{seed}")
            warehouse.execute(f"insert into seeds.{seed} from good")
            warehouse.execute("drop table good")
        assert warehouse.execute(query).fetchall() == []
    (lines, message) = REFUSED["service_level_targets"][0]
    project.replace_seed("service_level_targets", *lines)
    stopped = project.dbt(*chosen)
    assert stopped.returncode != 0
    assert f"service_level_targets.csv: the line {message}" in stopped.stdout
