"""Remembered answers: asked of the database once a version and question, bounded, and gone with the version."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dashboards.data import snapshot as module
from dashboards.data.metrics import Filters, catalogue, metric_frame, metric_value
from dashboards.data.snapshot import Snapshot, SnapshotStore, open_snapshot

QUESTION = "select count(distinct n % ?) as n from numbers"
MANY = "select n from numbers limit ?"


def publish(serving: Path, version: str, count: int) -> None:
    """A snapshot of one table, put in place as a refresh does it: a new file, then the link."""
    path = serving / f"csatlas-{version}.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create table numbers as select range as n from range({count})")
    link = serving / "next"
    link.symlink_to(path.name)
    link.replace(serving / "current")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Snapshot]:
    publish(tmp_path, "1", 1000)
    with closing(open_snapshot(tmp_path / "csatlas-1.duckdb")) as found:
        yield found


@dataclass
class Gate:
    """Counts what reaches the database, and holds it there while it is shut."""

    rows: Callable[..., list[dict[str, Any]]]
    questions: list[tuple[object, ...]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    stop: list[BaseException] = field(default_factory=list)

    def __call__(self, sql: str, parameters: Any = ()) -> list[dict[str, Any]]:
        self.questions.append(tuple(parameters))
        self.reached.set()
        assert self.open.wait(60)
        if self.stop:
            raise self.stop.pop()
        return self.rows(sql, parameters)


@pytest.fixture
def gate(opened: Snapshot, monkeypatch: pytest.MonkeyPatch) -> Gate:
    found = Gate(opened.rows)
    monkeypatch.setattr(opened, "rows", found)
    return found


def waiting(opened: Snapshot, number: int) -> Callable[[], bool]:
    """Whether so many threads wait for somebody else's answer."""

    def seen() -> bool:
        return sum(len(future._condition._waiters) for future in opened._asked.values()) >= number  # type: ignore[attr-defined]

    return seen


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(6000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never came to that")


def test_an_answer_is_asked_for_once(opened: Snapshot, gate: Gate) -> None:
    gate.open.set()
    for divisor in (7, 7, 11, 7):
        assert opened.remembered(QUESTION, [divisor]) == [{"n": divisor}]
    assert gate.questions == [(7,), (11,)]


def test_many_who_ask_the_same_at_once_are_answered_by_one_query(opened: Snapshot, gate: Gate) -> None:
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(opened.remembered, QUESTION, [7]) for _ in range(12)]
        until(waiting(opened, 11))
        gate.open.set()
        assert [one.result() for one in asked] == [[{"n": 7}]] * 12
    assert gate.questions == [(7,)]
    assert opened._asked == {}


def test_other_questions_do_not_wait(opened: Snapshot, gate: Gate) -> None:
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(opened.remembered, QUESTION, [7])
        assert gate.reached.wait(60)
        fast = pool.submit(opened.remembered, QUESTION, [11])
        until(lambda: len(gate.questions) == 2)
        gate.open.set()
        assert (slow.result(), fast.result()) == ([{"n": 7}], [{"n": 11}])


def test_an_error_reaches_all_who_waited_and_is_not_remembered(opened: Snapshot, gate: Gate) -> None:
    gate.stop.append(duckdb.OutOfMemoryException("no room"))
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(opened.remembered, QUESTION, [7]) for _ in range(3)]
        until(waiting(opened, 2))
        gate.open.set()
        for one in asked:
            with pytest.raises(duckdb.OutOfMemoryException, match="no room"):
                one.result()
    assert opened.remembered(QUESTION, [7]) == [{"n": 7}]
    assert len(gate.questions) == 2


def test_who_is_stopped_while_asking_stops_nobody_else(opened: Snapshot, gate: Gate) -> None:
    gate.stop.append(SystemExit(1))
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(opened.remembered, QUESTION, [7])
        assert gate.reached.wait(60)
        rest = [pool.submit(opened.remembered, QUESTION, [7]) for _ in range(3)]
        until(waiting(opened, 3))
        gate.open.set()
        with pytest.raises(SystemExit):
            first.result()
        assert [one.result() for one in rest] == [[{"n": 7}]] * 3
    assert len(gate.questions) == 2, "one of those left asks for the others"


def test_the_answers_not_asked_for_longest_are_forgotten(
    opened: Snapshot, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.open.set()
    monkeypatch.setattr(module, "REMEMBERED_ANSWERS", 3)
    for divisor in (2, 3, 5, 2, 7):  # 7 takes the place of 3: 2 was asked for again
        opened.remembered(QUESTION, [divisor])
    gate.questions.clear()
    for divisor in (2, 5, 7, 3):
        opened.remembered(QUESTION, [divisor])
    assert gate.questions == [(3,)]
    assert len(opened._answers) == 3


def test_the_rows_kept_are_bounded(opened: Snapshot, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.open.set()
    monkeypatch.setattr(module, "REMEMBERED_ROWS", 100)
    for count in (60, 30, 50):  # 60 has to go
        assert len(opened.remembered(MANY, [count])) == count
    assert [len(rows) for rows in opened._answers.values()] == [30, 50] and opened._answered_rows == 80
    assert len(opened.remembered(MANY, [101])) == 101
    assert [len(rows) for rows in opened._answers.values()] == [30, 50], "too long an answer drives nothing out"


def test_a_new_version_has_answers_of_its_own(tmp_path: Path) -> None:
    publish(tmp_path, "1", 5)
    with closing(SnapshotStore(tmp_path)) as store:
        assert store.current().remembered(QUESTION, [1000]) == [{"n": 5}]
        before = weakref.ref(store.current())
        publish(tmp_path, "2", 9)
        assert store.current().remembered(QUESTION, [1000]) == [{"n": 9}]
        gc.collect()
        assert before() is None, "the answers of a version nobody reads are dropped with it"


# -- distinct counts of a whole company ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def company(demo_home: Path) -> Iterator[Snapshot]:
    with closing(SnapshotStore(demo_home / "serving")) as store:
        yield store.current()


def test_distinct_counts_are_remembered_and_sums_are_not(company: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    rows = company.rows

    def counted(sql: str, parameters: Any = ()) -> list[dict[str, Any]]:
        read.append(sql)
        return rows(sql, parameters)

    names = [
        metric.name
        for metric in catalogue(company).values()
        if "channel" in metric.dimensions and metric.parts and all(part.kind == "distinct" for part in metric.parts)
    ]
    assert names
    monkeypatch.setattr(company, "rows", counted)
    once = metric_frame(company, names, grain="month", filters=Filters(channels=("phone",)))
    asked = len(read)
    assert asked == len(names)
    assert metric_frame(company, names, grain="month", filters=Filters(channels=("phone",))).equals(once)
    assert len(read) == asked
    metric_frame(company, names, grain="month", filters=Filters(channels=("web",)))
    assert len(read) == 2 * asked, "another filter is another question"
    for _ in range(2):
        metric_value(company, "tickets_created")
    assert len(read) == 2 * asked + 2


def test_nobody_is_given_what_another_reader_may_see(company: Snapshot) -> None:
    units = [
        row["org_unit_id"]
        for row in company.rows("select org_unit_id from dim_org_units where unit_level = 'province'")
    ]
    assert len(units) > 1
    whole = metric_value(company, "customers_contacting").value
    for unit in units * 2:
        mine = metric_value(company, "customers_contacting", Filters(visible_units=frozenset({unit}))).value
        (row,) = company.rows(
            "select count(distinct customer_key) as n from fct_contacts where row_unit_id = '*' or row_unit_id in"
            " (with recursive below as (select ? as unit union select u.org_unit_id from dim_org_units as u inner join below"
            " on u.parent_unit_id = below.unit) select unit from below)",
            [unit],
        )
        assert mine == row["n"] and mine is not None and whole is not None and mine < whole
