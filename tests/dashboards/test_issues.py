"""Hot and hard issues, windows of second complaints, promises, waits: the lists of the pages add up to the metrics beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from dashboards.data import atlas, health, issues, small_cells
from dashboards.data.metrics import Filters, metric_value
from dashboards.data.rights import Viewer
from dashboards.data.snapshot import Snapshot, open_snapshot, published_path
from tests.conftest import LAST_DAY
from tests.dashboards.rights import PROVINCE

END = date.fromisoformat(LAST_DAY)
ALL = Filters(start=date(2000, 1, 1), end=END)


@pytest.fixture(scope="module")
def snapshot(demo_home: Path) -> Iterator[Snapshot]:
    with closing(open_snapshot(published_path(demo_home / "serving"))) as found:
        yield found


@pytest.mark.parametrize("filters", [ALL, Filters(start=ALL.start, end=END, units=(PROVINCE,))])
def test_second_complaints_by_window_are_those_of_the_rates(snapshot: Snapshot, filters: Filters) -> None:
    found = issues.second_windows(snapshot, filters)
    assert [one.days for one in found] == [7, 30, 90]
    cases = metric_value(snapshot, "complaint_case_count", filters).value
    for one in found:
        value = metric_value(snapshot, f"second_complaint_case_rate_{one.days}d", filters)
        assert (value.numerator or 0, value.denominator or 0) == (one.second, one.final)
        assert (one.final or 0) + (one.not_final or 0) + (one.unidentified or 0) == cases
        assert (one.already or 0) <= (one.not_final or 0)
    finals = [one.final or 0 for one in found]
    assert finals == sorted(finals, reverse=True), "a longer window is final later"


def test_the_list_of_second_complaints_is_that_of_the_share(snapshot: Snapshot) -> None:
    rows, total = issues.second_complaints(snapshot, ALL, limit=5)
    assert total == metric_value(snapshot, "second_complaint_share", ALL).numerator
    assert len(rows) == min(5, total)
    assert [row["opened_on"] for row in rows] == sorted((row["opened_on"] for row in rows), reverse=True)


def test_promises_by_outcome_are_those_of_the_rates(snapshot: Snapshot) -> None:
    rows = issues.promise_outcomes(snapshot, ALL)
    count = {
        kind: sum(row["promises"] for row in rows if row["promise_outcome"] == kind)
        for kind in ("kept", "late", "broken")
    }
    assert count["kept"] > 0
    for name, kind in (("ledger_kept_rate", "kept"), ("ledger_late_rate", "late"), ("ledger_broken_rate", "broken")):
        value = metric_value(snapshot, name, ALL)
        assert (value.numerator, value.denominator) == (count[kind], sum(count.values())), name
    listed, total = issues.broken_promises(snapshot, ALL, limit=10_000)
    assert sum(row["promise_outcome"] == "broken" for row in listed) == count["broken"]
    assert total == len(listed)


def test_hard_issues_are_those_of_the_stock_with_what_they_wait_for(snapshot: Snapshot) -> None:
    rows = issues.hard_issues(snapshot, Filters(start=END, end=END))
    assert len(rows) == (metric_value(snapshot, "hard_issues", ALL).value or 0)
    assert all(row["waits_for"] for row in rows)
    ages = [row["age_seconds"] for row in rows]
    assert ages == sorted(ages, reverse=True) and all(age > 7 * 86400 for age in ages)
    assert all(row["waiting_seconds"] is None or row["waiting_seconds"] <= row["age_seconds"] for row in rows)


def test_hot_issues_are_those_that_ran_in_the_period(snapshot: Snapshot) -> None:
    rows = issues.hot_issues(snapshot, ALL)
    assert len(rows) == (metric_value(snapshot, "hot_issues", ALL).value or 0)
    assert issues.hot_issues(snapshot, Filters(start=date(1999, 1, 1), end=date(1999, 1, 31))) == []
    for row in rows:
        assert row in issues.hot_issues(snapshot, Filters(start=row["last_on"], end=END))


def test_waits_for_departments_and_open_tickets_are_counted_whole(snapshot: Snapshot) -> None:
    rows, total = issues.waiting_for_departments(snapshot, Filters(start=END, end=END), limit=3)
    (there,) = snapshot.rows(
        "select count(*) as n from fct_department_waits where is_in_base and wait_state = 'waiting'"
    )
    assert total == there["n"] and len(rows) == min(3, total)
    rows, total = issues.oldest_open_tickets(snapshot, Filters(), END, limit=4)
    (there,) = snapshot.rows(
        "select count(*) as n, min(created_on) as first from fct_tickets where is_in_base and not is_solved"
    )
    assert total == there["n"] and rows[0]["created_on"] == there["first"]
    assert rows[0]["age_days"] == (END - there["first"]).days


def test_small_counts_are_not_told_to_a_limited_reader(snapshot: Snapshot) -> None:
    province = snapshot.for_viewer(Viewer("wu", "executive", frozenset({PROVINCE}), False))
    short = Filters(start=END.replace(day=1), end=END)
    told = [
        value
        for one in issues.second_windows(province, short)
        for value in (one.final, one.second, one.not_final, one.already)
    ]
    assert all(value is None or not small_cells.is_small(value) for value in told)
    promises = issues.promise_outcomes(province, short)
    assert all(row["promises"] is None or row["promises"] >= small_cells.LEAST for row in promises)
    true = issues.promise_outcomes(snapshot, Filters(start=short.start, end=END, units=(PROVINCE,)))
    assert any(small_cells.is_small(row["promises"]) for row in true) == any(
        row["promises"] is None for row in promises
    )


def test_the_atlas_says_how_far_definitions_lie_apart(snapshot: Snapshot) -> None:
    rows = {row["family"]: row for row in atlas.atlas_families(snapshot, "all")}
    found = atlas.variants(snapshot, "service_level")
    values = [one.value.value for one in found if one.value.value is not None and one.metric.unit == "share"]
    row = rows["service_level"]
    assert (row["lowest"], row["highest"], row["definitions"]) == (min(values), max(values), len(values))
    assert row["value"] == found[0].value.value and row["spread"] == pytest.approx(max(values) - min(values))


def test_what_is_known_of_bases_files_and_rows(snapshot: Snapshot) -> None:
    rows = health.unknown_shares(snapshot)
    assert rows and all(0 <= row["unknown_share"] <= 1 + 1e-9 for row in rows)
    covered = health.file_coverage(snapshot)
    assert covered is not None and covered["missed"] == 0 and covered["rows"] == []
    (loads,) = snapshot.rows("select count(*) as n from fct_file_coverage")
    assert covered["files"] == loads["n"]
    flags = health.row_flags(snapshot)
    (there,) = snapshot.rows("select sum(row_count)::bigint as n from fct_row_flags")
    assert sum(row["row_count"] for row in flags) == (there["n"] or 0)
