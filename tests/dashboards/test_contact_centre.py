"""The contact centre's tabs: ways through the menu, staffing, places of agents, quality reviews; each number found another way."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import polars as pl
import pytest
from plotly.utils import PlotlyJSONEncoder

from dashboards import shell
from dashboards.components.grid import Column, head_width
from dashboards.data import contact_centre, queues, small_cells
from dashboards.data.metrics import Filters, catalogue, metric_frame, metric_value
from dashboards.data.rights import EVERYTHING, Viewer
from dashboards.data.snapshot import Snapshot, SnapshotStore
from dashboards.figures.flow import Flow, Place, flow_figure, positions
from dashboards.i18n import translator
from dashboards.pages import PAGES
from dashboards.pages import contact_centre as page
from orchestration.modelling import staffing
from tests.conftest import LAST_DAY, csatlas
from tests.dashboards.rights import CITY_READER

END = date.fromisoformat(LAST_DAY)
QUARTER = Filters(start=date(END.year, END.month - 2, 1), end=END)
TABS = {
    "/contact-centre": tuple(page.TABS),
    "/complaints": ("stages", "back", "issues", "promises"),
    "/tickets": ("times", "promises", "backlog", "hand_overs", "reasons", "repairs"),
    "/data-health": ("sources", "quarantine", "files", "build", "coverage"),
    "/definitions": ("catalogue", "atlas"),
}


@pytest.fixture(scope="module")
def store(demo_home: Path) -> Iterator[SnapshotStore]:
    with closing(SnapshotStore(demo_home / "serving")) as found:
        yield found


@pytest.fixture(scope="module")
def snapshot(store: SnapshotStore) -> Snapshot:
    return store.current()


def drawn(store: SnapshotStore, path: str, search: str, language: str = "en") -> str:
    """The content of a page as text; the test fails when it is the error state."""
    content = json.dumps(
        shell.render(store, path, search, language)["content"], cls=PlotlyJSONEncoder, ensure_ascii=False
    )
    assert json.loads(content)["props"].get("role") != "alert", f"{path}{search} shows its error state"
    return content


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("path", "tab"), [(path, tab) for path, tabs in TABS.items() for tab in tabs])
def test_every_tab_draws_with_its_own_words(store: SnapshotStore, path: str, tab: str, language: str) -> None:
    t = translator(language)
    (key,) = [one.key for one in PAGES if one.path == path]
    words = {"data_health": "health"}.get(key, key)
    text = drawn(store, path, f"?tab={tab}&period=last_12_months", language)
    assert t(f"{words}.tab_{tab}") in text
    assert '"aria-current": "page"' in text


@pytest.mark.parametrize(
    ("path", "tab", "said"),
    [
        ("/contact-centre", "menu", "contact_centre.no_menu"),
        ("/contact-centre", "agents", "contact_centre.no_agents"),
        ("/contact-centre", "quality", "quality.no_month"),
        ("/complaints", "back", "complaints.none_second"),
        ("/complaints", "issues", "complaints.none_hot"),
        ("/complaints", "promises", "complaints.none_promised"),
        ("/tickets", "promises", "kpi.no_contacts"),
    ],
)
def test_where_nothing_happened_it_is_said(store: SnapshotStore, path: str, tab: str, said: str) -> None:
    text = drawn(store, path, f"?tab={tab}&period=custom&from=1999-01-01&to=1999-01-31&compare=none", "zh")
    assert translator("zh")(said) in text


# The voice menu


def test_ways_are_those_of_the_nodes(snapshot: Snapshot) -> None:
    """The ways come from the calls' records; the nodes, counted one by one, must say the same. A few calls have lost their steps."""
    ways = contact_centre.menu_ways(snapshot, QUARTER)
    calls = snapshot.rows(
        "select source, call_id, ivr_path, disposition from fct_calls where is_in_base and started_on between ? and ? and ivr_path is not null",
        [QUARTER.start, QUARTER.end],
    )
    nodes: dict[tuple[str, str], list[str]] = {}
    for row in snapshot.rows("select source, call_id, node from fct_call_nodes order by source, call_id, node_number"):
        nodes.setdefault((row["source"], row["call_id"]), []).append(row["node"])
    lost = [call for call in calls if (call["source"], call["call_id"]) not in nodes]
    assert len(lost) < 0.01 * len(calls)
    flows: Counter[tuple[Any, Any]] = Counter()
    for call in calls:
        way = list(enumerate(nodes.get((call["source"], call["call_id"]), call["ivr_path"].split(">")), 1))
        for here, there in zip(way, [*way[1:], (0, call["disposition"])], strict=True):
            flows[here, there] += 1
    assert len(flows) > 10
    assert {(here, there): count for here, there, count in ways.steps} == dict(flows)
    assert ways.ends == Counter(call["disposition"] for call in calls)
    assert ways.calls == len(calls) and ways.hidden == 0


def test_as_many_leave_a_node_as_enter_it(snapshot: Snapshot) -> None:
    ways = contact_centre.menu_ways(snapshot, QUARTER)
    into: Counter[Any] = Counter()
    out: Counter[Any] = Counter()
    for here, there, calls in ways.steps:
        out[here] += calls
        into[there] += calls
    assert all(into[place] == out[place] for place in out if place[0] > 1)
    assert sum(out[place] for place in out if place[0] == 1) == ways.calls
    left = metric_value(snapshot, "left_in_menu_rate", QUARTER)
    assert left.numerator is not None and 0 < left.numerator <= ways.ends["abandoned_in_ivr"] * 1.01


def made(viewer: Viewer) -> Any:
    """Three exchanges: one writes the way into the record, one sends nodes only, one has no menu."""
    connection = duckdb.connect()
    connection.execute(
        "create table fct_calls (source varchar, call_id varchar, ivr_path varchar, disposition varchar, is_in_base boolean, started_on date,"
        " org_unit_id varchar, channel varchar, product_line varchar, customer_kind varchar, row_unit_id varchar)"
    )
    connection.execute(
        "create table fct_call_nodes (source varchar, call_id varchar, node_number integer, node varchar, is_in_base boolean, entered_on date,"
        " org_unit_id varchar, channel varchar, product_line varchar, row_unit_id varchar)"
    )
    record: list[tuple[str, str, str | None, str]] = [
        ("a", f"a{number}", "main>bill", "answered") for number in range(20)
    ]
    record += [("a", "loop", "main>bill>main>bill", "abandoned_in_ivr"), ("a", "long", "1>2>3>4>5>6>7>8", "contained")]
    record += [("b", "b1", None, "answered"), ("c", "c1", None, "answered")]
    for source, call, way, end in record:
        connection.execute(
            "insert into fct_calls values (?, ?, ?, ?, true, date '2026-01-05', 'u', 'phone', 'mobile', 'person', 'u')",
            [source, call, way, end],
        )
    for number, node in enumerate(("start", "help"), 1):
        connection.execute(
            "insert into fct_call_nodes values ('b', 'b1', ?, ?, true, date '2026-01-05', 'u', 'phone', 'mobile', 'u')",
            [number, node],
        )

    def rows(sql: str, values: list[object]) -> list[dict[str, Any]]:
        return connection.execute(sql, values).pl().to_dicts()

    return SimpleNamespace(rows=rows, viewer=viewer)


def test_loops_long_ways_and_sources_without_a_way_in_the_record() -> None:
    ways = contact_centre.menu_ways(made(EVERYTHING), Filters(start=date(2026, 1, 1), end=date(2026, 1, 31)))
    steps = {(here, there): calls for here, there, calls in ways.steps}
    assert ways.calls == 23 and ways.returned == 1
    assert steps[(1, "main"), (2, "bill")] == 21
    assert steps[(2, "bill"), (3, "main")] == 1, "a loop is a step further, not a way back"
    assert steps[(1, "start"), (2, "help")] == 1 and steps[(2, "help"), (0, "answered")] == 1
    assert steps[(6, "6"), (7, contact_centre.LATER)] == 1 and steps[(7, contact_centre.LATER), (0, "contained")] == 1
    assert ways.ends == {"answered": 21, "abandoned_in_ivr": 1, "contained": 1}


def test_small_flows_are_not_told_to_a_limited_reader() -> None:
    ways = contact_centre.menu_ways(made(CITY_READER), Filters(start=date(2026, 1, 1), end=date(2026, 1, 31)))
    assert ways.hidden > 0 and ways.returned == 0
    assert all(calls >= small_cells.LEAST for _, _, calls in ways.steps)
    assert all(calls >= small_cells.LEAST for calls in ways.ends.values())


def test_places_of_a_picture_do_not_touch() -> None:
    places = [Place("start", 0), *(Place(f"end {number}", 1) for number in range(6))]
    sizes = [1000.0, 990.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    x, y = positions(places, sizes, 320)
    assert x == [0.001] + [0.999] * 6
    gaps = [later - earlier for earlier, later in itertools.pairwise(y[1:])]
    assert min(gaps) > 0.05 and y[0] == pytest.approx(0.5)
    figure = flow_figure(translator("en"), places, [Flow(0, 1, 990), *(Flow(0, n, 2) for n in range(2, 7))], "Calls")
    assert list(figure.data[0].link.value) == [990, 2, 2, 2, 2, 2]


# Staffing


def test_the_plan_of_the_page_is_that_of_the_command(snapshot: Snapshot) -> None:
    rows = contact_centre.staffing(snapshot)
    assert rows, "the company has queues"
    first, last, queue = rows[0]["first_on"], rows[0]["as_of"], rows[0]["queue"]
    assert (last - first).days == 90
    working = {
        row["day"]: row["is_working_day"]
        for row in snapshot.rows(
            "select day, is_working_day from dim_calendar where day between ? and ?", [first, last]
        )
    }
    half_hours = queues.queue_half_hours(snapshot, queue, first, last, within_seconds=rows[0]["within_seconds"])
    staffed = staffing.staff_queue(
        half_hours,
        queue,
        service_level=0.8,
        target_seconds=20.0,
        shrinkage=0.3,
        definition="abandons_bad",
        model="erlang_a",
    )
    compared = 0
    for kind, is_working in (("working_day", True), ("day_off", False)):
        of_kind = staffed.filter(pl.Series([working[day] is is_working for day in staffed["half_hour_on"]]))
        asked = {row["half_hour"]: row for row in staffing.typical_day(of_kind).to_dicts()}
        shown = {row["half_hour"]: row for row in rows if row["queue"] == queue and row["day_type"] == kind}
        assert asked.keys() == shown.keys()
        for half_hour, row in shown.items():
            for name in (
                "days",
                "calls",
                "rostered_agents",
                "required_agents",
                "short_share",
                "measured_service_level",
            ):
                assert row[name] == pytest.approx(asked[half_hour][name], abs=1e-8), (half_hour, name)
                compared += row[name] is not None
    assert compared > 100


def test_the_plan_by_kind_of_day_of_no_half_hours_is_empty() -> None:
    empty = pl.DataFrame(schema={"queue": pl.String, "half_hour_at": pl.Datetime, "day_type": pl.String})
    found = staffing.staffing_by_day_type(empty)
    assert found.height == 0 and found.columns[:3] == ["queue", "day_type", "half_hour"]


def test_a_reader_of_some_units_is_told_that_there_is_no_plan(demo_home: Path) -> None:
    with closing(SnapshotStore(demo_home / "serving", viewer=lambda: CITY_READER)) as store:
        assert translator("en")("contact_centre.no_plan") in drawn(store, "/contact-centre", "?tab=staffing")
        assert translator("en")("rights.left_out") in drawn(store, "/contact-centre", "?tab=menu")
        assert translator("en")("definitions.no_atlas") in drawn(store, "/definitions", "?tab=atlas")
        assert translator("en")("health.no_coverage") in drawn(store, "/data-health", "?tab=coverage")


# Agents and their reviews


@pytest.mark.parametrize("name", page.RANKED)
def test_whoever_has_few_contacts_has_no_place(snapshot: Snapshot, name: str) -> None:
    filters = Filters(start=date(END.year - 1, END.month, END.day), end=END)
    rows = contact_centre.agent_places(snapshot, name, filters)
    frame = metric_frame(snapshot, [name], by=["agent_id"], filters=filters)
    bases = dict(frame.select("agent_id", "n").iter_rows())
    minimum = catalogue(snapshot)[name].minimum_base or 0
    assert rows
    for row in rows:
        assert row["n"] == bases[row["agent_id"]]
        if row["best_place"] is not None:
            assert row["n"] >= minimum and 1 <= row["best_place"] <= row["worst_place"] <= row["ranked"]
        else:
            assert row["n"] < minimum or row["low"] is None
    assert [row["best_place"] or 10**6 for row in rows] == sorted(row["best_place"] or 10**6 for row in rows)


def test_the_page_ranks_as_the_command_does(demo_home: Path, snapshot: Snapshot) -> None:
    done = csatlas(demo_home, "metric", "transfer_rate", "--by", "agent_id", "--rank", "--json")
    asked = {row["agent_id"]: (row["best_place"], row["worst_place"]) for row in json.loads(done.stdout)}
    shown = {
        row["agent_id"]: (row["best_place"], row["worst_place"])
        for row in contact_centre.agent_places(snapshot, "transfer_rate", Filters())
    }
    assert shown and all(asked[agent] == places for agent, places in shown.items())


def test_coverage_of_the_list_is_that_of_the_metrics(snapshot: Snapshot) -> None:
    filters = Filters(start=date(2000, 1, 1), end=END)
    rows = [row for row in contact_centre.review_coverage(snapshot, filters) if row["is_settled"]]
    assert rows
    for metric, count in (
        ("agents_at_review_minimum", sum(not row["is_below_minimum"] for row in rows)),
        ("agents_at_review_target", sum(row["is_at_target"] for row in rows)),
    ):
        value = metric_value(snapshot, metric, Filters())
        assert (value.numerator, value.denominator) == (count, len(rows)), metric


def test_the_sheet_is_of_one_settled_month_and_its_scores_those_of_the_reviews(snapshot: Snapshot) -> None:
    rows = contact_centre.quality_sheet(snapshot, Filters(start=END, end=END))
    assert rows and len({row["month_on"] for row in rows}) == 1
    reviews = snapshot.frame(
        "select agent_id, score_share from fct_quality_sheets where is_in_base and counted_month = ?",
        [rows[0]["month_on"]],
    )
    means = {
        row["agent_id"]: (row["n"], row["mean"])
        for row in reviews.group_by("agent_id")
        .agg(pl.len().alias("n"), pl.col("score_share").mean().alias("mean"))
        .to_dicts()
    }
    for row in rows:
        n, mean = means.get(row["agent_id"], (0, None))
        assert row["reviews"] == n
        assert row["score"] == (None if mean is None else pytest.approx(mean, abs=1e-6)), row["agent_id"]
    assert sum(row["score"] is not None for row in rows) > 3


def test_the_plan_of_trainings_adds_up_the_weak_items(snapshot: Snapshot) -> None:
    weak = contact_centre.weak_items(snapshot, QUARTER)
    needs = contact_centre.training_needs(snapshot, QUARTER)
    by_item = Counter(row["item"] for row in weak if row["item_state"] == "weak")
    planned: Counter[str] = Counter()
    for row in needs:
        planned[row["item"]] += row["agents_weak"]
    assert all(planned[item] <= by_item[item] for item in planned), "nobody is planned who is not weak"
    assert [row["priority"] for row in needs] == sorted(row["priority"] for row in needs)


# Heads of grids


@pytest.mark.parametrize("name", ["Quarantined", "Superseded", "Unrounded", "被取代", "质检员一致性"])
def test_a_column_is_as_wide_as_its_heading(name: str) -> None:
    definition = Column("x", name, "number", width=40).definition()
    assert definition["minWidth"] >= head_width(name) > 60
    assert Column("x", name, has_filter=False).definition()["filter"] is False


def test_a_very_long_heading_is_wrapped() -> None:
    definition = Column("x", "Average handle time per agent leg, in seconds", "number").definition()
    assert definition["wrapHeaderText"] and definition["minWidth"] <= 250
