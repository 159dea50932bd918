"""Panels of overview, satisfaction and customers: their numbers are those of the metrics and of the rows, and a change is taken apart exactly."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plotly.utils import PlotlyJSONEncoder

from dashboards import shell, theme
from dashboards.data import customer_flows, headlines, satisfaction
from dashboards.data.headlines import REST, change_parts, individual_limits
from dashboards.data.metrics import Filters, metric_frame, metric_value
from dashboards.data.rights import NOBODY
from dashboards.data.small_cells import LEAST
from dashboards.data.snapshot import Snapshot, SnapshotStore, open_snapshot, published_path
from dashboards.figures import flow, matrix
from dashboards.figures.sparkline import sparkline_svg
from dashboards.i18n import translator
from tests.conftest import LAST_DAY
from tests.dashboards.rights import CITY_READER

END = date.fromisoformat(LAST_DAY)
NOW = Filters(start=END - timedelta(days=44), end=END)
BEFORE = Filters(start=END - timedelta(days=89), end=END - timedelta(days=45))
YEAR = Filters(start=END - timedelta(days=364), end=END)


@pytest.fixture(scope="module")
def snapshot(demo_home: Path) -> Iterator[Snapshot]:
    with closing(open_snapshot(published_path(demo_home / "serving"))) as found:
        yield found


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for one in node.values():
            yield from texts(one)
    elif isinstance(node, list):
        for one in node:
            yield from texts(one)


def drawn(store: SnapshotStore, path: str, search: str, language: str = "en") -> set[str]:
    content = json.loads(json.dumps(shell.render(store, path, search, language)["content"], cls=PlotlyJSONEncoder))
    assert content["props"].get("role") != "alert", "the page shows its error state"
    return set(texts(content))


# What changed and why


def test_only_the_mix_changes() -> None:
    """A: 90 of 100, then 45 of 50; B: 40 of 100, then 60 of 150. Nobody became worse, but B has more weight: 65 % becomes 52.5 %."""
    groups: Any = [{"A": (90.0, 100.0), "B": (40.0, 100.0)}, {"A": (45.0, 50.0), "B": (60.0, 150.0)}]
    found = headlines._of_ratio("channel", [(130.0, 200.0), (105.0, 200.0)], groups, {"A", "B"})
    assert (found.before, found.after) == (0.65, 0.525)
    assert found.level == pytest.approx(0.0) and found.mix == pytest.approx(-0.125)


def test_only_the_level_changes_and_a_value_enters() -> None:
    groups: Any = [{"A": (90.0, 100.0)}, {"A": (70.0, 100.0)}]
    found = headlines._of_ratio("channel", [(90.0, 100.0), (70.0, 100.0)], groups, {"A"})
    assert found.level == pytest.approx(-0.2) and found.mix == pytest.approx(0.0)
    entered = headlines._of_ratio(
        "channel",
        [(90.0, 100.0), (100.0, 200.0)],
        [{"A": (90.0, 100.0)}, {"A": (90.0, 100.0), "B": (10.0, 100.0)}],
        {"A", "B"},
    )
    assert entered.level == pytest.approx(0.0) and entered.mix == pytest.approx(-0.4)
    assert {part.value: part.before for part in entered.parts} == {"A": 0.9, "B": None}


cells = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: (float(min(pair)), float(max(pair))))


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6), cells, cells)
def test_contributions_always_add_up(
    groups: list[Any], old_rest: tuple[float, float], new_rest: tuple[float, float]
) -> None:
    """Level, mix and contributions add up to the change, whatever is there, told or left in the rest."""
    sums = [
        (sum(group[side][0] for group in groups) + rest[0], sum(group[side][1] for group in groups) + rest[1])
        for side, rest in ((0, old_rest), (1, new_rest))
    ]
    if not all(base for _, base in sums):
        return
    named: Any = [{str(place): group[side] for place, group in enumerate(groups)} for side in (0, 1)]
    found = headlines._of_ratio("x", sums, named, set(named[0]))
    assert sum(part.amount for part in found.parts) == pytest.approx(found.amount, abs=1e-9)
    assert found.level + found.mix == pytest.approx(found.amount, abs=1e-9)


@pytest.mark.parametrize("name", ["csat_top2", "service_level", "tickets_created", "complaints"])
def test_a_change_is_that_of_the_metric(snapshot: Snapshot, name: str) -> None:
    for dimension in ("org_unit_id", "channel", "product_line", "customer_kind"):
        found = change_parts(snapshot, name, dimension, NOW, BEFORE)
        assert found is not None and found.parts
        values = [metric_value(snapshot, name, one).value for one in (BEFORE, NOW)]
        assert [found.before, found.after] == pytest.approx(values)
        assert sum(part.amount for part in found.parts) == pytest.approx(found.amount, abs=1e-9)
        assert REST not in {part.value for part in found.parts}, "who sees everything is told every value"


def test_what_cannot_be_added_is_not_taken_apart(snapshot: Snapshot) -> None:
    assert change_parts(snapshot, "first_reply_median", "channel", NOW, BEFORE) is None
    assert change_parts(snapshot, "backlog_open", "channel", NOW, BEFORE) is None
    assert (
        change_parts(
            snapshot, "tickets_created", "channel", NOW, Filters(start=date(1999, 1, 1), end=date(1999, 1, 31))
        )
        is None
    )


def test_a_limited_reader_is_told_no_small_part_of_a_change(snapshot: Snapshot) -> None:
    seen = snapshot.for_viewer(CITY_READER)
    rests = 0
    for dimension in ("channel", "product_line", "customer_kind"):
        found = change_parts(seen, "tickets_created", dimension, NOW, BEFORE)
        if found is None:
            continue
        assert sum(part.amount for part in found.parts) == pytest.approx(found.amount)
        told = [part for part in found.parts if part.value != REST]
        assert all(value == 0 or (value or 0) >= LEAST for part in told for value in (part.before, part.after))
        rests += len(found.parts) - len(told)
    assert rests, "nothing was left in the rest; the test proves nothing"


# Limits of a course


def test_limits_of_individual_values() -> None:
    assert individual_limits([10.0, 12.0] * 4) == pytest.approx((11 - 2.66 * 2, 11 + 2.66 * 2))
    assert individual_limits([10.0, None, 12.0, None] * 4) == pytest.approx((11 - 2.66 * 2, 11 + 2.66 * 2))
    assert individual_limits([0.9, 1.0] * 4, lowest=0.0, highest=1.0) == pytest.approx((0.95 - 0.266, 1.0))
    assert individual_limits([10.0] * 7) is None


def test_a_course_shows_its_limits_and_what_is_outside() -> None:
    plain_course = sparkline_svg([1.0, 2.0, 9.0])
    shown = sparkline_svg([1.0, 2.0, 9.0], limits=[(0.0, 4.0)] * 3, outside=[2])
    assert "<polygon" not in plain_course and theme.WORSE not in plain_course
    assert shown.count("<polygon") == 1 and shown.count(f'fill="{theme.WORSE}"') == 1


# Alerts and plans


def test_alerts_are_those_whose_days_touch_the_slice(snapshot: Snapshot) -> None:
    rows, total = headlines.alerts(snapshot, NOW, limit=500)
    assert NOW.start and NOW.end
    expected = [
        row["alert_id"]
        for row in snapshot.rows("select alert_id, first_day, last_day from fct_alerts")
        if row["first_day"] <= NOW.end and row["last_day"] >= NOW.start
    ]
    assert sorted(row["alert_id"] for row in rows) == sorted(expected) and total == len(expected) > 5
    ranks = [headlines.SEVERITIES.index(row["severity"]) for row in rows]
    assert ranks == sorted(ranks)
    assert len(headlines.alerts(snapshot, NOW, limit=3)[0]) == 3


def test_a_limited_reader_sees_that_there_is_an_alert_but_no_small_figure(snapshot: Snapshot) -> None:
    seen = snapshot.for_viewer(CITY_READER)
    everything = Filters(end=END)
    rows, _ = headlines.alerts(seen, everything, limit=500)
    assert all(row["org_unit_id"] in ("C-GD-GZ", "T-GD-GZ-1") for row in rows)
    for row in rows:
        assert row["is_hidden"] or row["denominator"] is None or row["denominator"] == 0 or row["denominator"] >= LEAST
        assert not row["is_hidden"] or (row["numerator"] is None and row["value"] is None)


def test_plans_are_of_the_newest_month_and_of_the_highest_unit(snapshot: Snapshot) -> None:
    rows = headlines.month_plans(snapshot, NOW)
    assert (
        rows
        and {row["unit_level"] for row in rows} == {"headquarters"}
        and {row["month_start"] for row in rows} == {date(2026, 9, 1)}
    )
    (own,) = snapshot.rows(
        "select count(*) as n from fct_plan_actual where month_start = '2026-09-01' and unit_level = 'headquarters'"
    )
    assert len(rows) == own["n"]
    of_unit = headlines.month_plans(snapshot, Filters(start=NOW.start, end=NOW.end, units=("P-JS",)))
    assert {row["org_unit_id"] for row in of_unit} == {"P-JS"}


# Customers


def test_types_and_causes_are_counted_from_the_departures(snapshot: Snapshot) -> None:
    frame = customer_flows.churn_matrix(snapshot, YEAR)
    rows = snapshot.rows(
        "select churn_type, main_cause from fct_churn_events where is_final and left_on between ? and ?",
        [YEAR.start, YEAR.end],
    )
    counted = Counter((row["churn_type"], row["main_cause"]) for row in rows)
    assert counted
    assert {
        (row["churn_type"], row["main_cause"]): row["departures"] for row in frame.to_dicts() if row["departures"]
    } == counted


def test_moves_of_the_default_scheme_are_those_of_the_metrics(snapshot: Snapshot) -> None:
    schemes = customer_flows.tier_schemes(snapshot)
    assert schemes[0]["is_default_scheme"] and len(schemes) > 2
    rows = customer_flows.tier_moves(snapshot, NOW, schemes[0]["scheme"])
    frame = metric_frame(snapshot, ["tier_customers"], by=["grade"], filters=NOW)
    by_grade: Counter[str] = Counter()
    for row in rows:
        by_grade[row["grade"]] += row["customers"]
    assert by_grade and dict(by_grade) == {row["grade"]: row["value"] for row in frame.to_dicts() if row["value"]}
    for scheme in schemes:
        lines = {row["grade"] for row in customer_flows.tier_lines(snapshot, NOW, scheme["scheme"])}
        assert {row["grade"] for row in customer_flows.tier_moves(snapshot, NOW, scheme["scheme"])} <= lines
    assert customer_flows.tier_moves(snapshot, NOW, "no such scheme") == []


def test_promises_kept_are_those_of_the_metric(snapshot: Snapshot) -> None:
    rows = customer_flows.standards_received(snapshot, YEAR)
    frame = metric_frame(snapshot, ["tier_standard_attainment"], by=["standard", "grade"], filters=YEAR)
    expected = {(row["standard"], row["grade"]): row["value"] for row in frame.to_dicts() if row["value"] is not None}
    found = {(row["standard"], row["grade"]): row["attainment"] for row in rows if row["attainment"] is not None}
    assert found.keys() == expected.keys() and found
    assert all(found[key] == pytest.approx(expected[key]) for key in found)


def test_the_ladder_moves_of_a_quarter_are_the_rows_of_the_mart(snapshot: Snapshot) -> None:
    rows = customer_flows.ladder_moves(snapshot, NOW)
    (total,) = snapshot.rows("select sum(customers) as n from fct_loyalty_moves where quarter_end = '2026-09-30'")
    assert rows and sum(row["customers"] for row in rows) == total["n"]
    people = customer_flows.ladder_moves(snapshot, Filters(end=END, customer_kinds=("person",)))
    assert 0 < sum(row["customers"] for row in people) < total["n"]
    assert customer_flows.ladder_moves(snapshot, Filters(end=END - timedelta(days=1))) == []


def test_the_inertia_watch_is_the_quadrant_of_the_last_day(snapshot: Snapshot) -> None:
    expected = snapshot.rows(
        "select customer_key, held_by from fct_customer_loyalty where is_current and loyalty_quadrant = 'spurious'"
    )
    rows, total = customer_flows.inertia_watch(snapshot, NOW, limit=500)
    assert total == len(rows) == len(expected)
    assert sorted(row["customer_key"] for row in rows) == sorted(row["customer_key"] for row in expected)


# Comments


def test_comments_and_their_topics_are_those_of_the_metrics(snapshot: Snapshot) -> None:
    rows, total = satisfaction.comments(snapshot, YEAR, limit=500)
    assert total == len(rows) == metric_value(snapshot, "survey_comments", YEAR).value
    assert (
        sum(len(row["topics"]) for row in rows) == snapshot.rows("select count(*) as n from fct_comment_topics")[0]["n"]
    )
    assert {row["judgement"] for row in rows} <= set(satisfaction.JUDGEMENTS)
    points = satisfaction.comment_points(snapshot, YEAR, "week")
    assert points["mentions"].sum() == metric_value(snapshot, "comment_mentions", YEAR).value
    masked, _ = satisfaction.comments(snapshot.for_viewer(NOBODY), YEAR, limit=10)
    assert masked == []


# Waves: a company of three months has none, so the rows of one are put into a copy of its snapshot


@pytest.fixture(scope="module")
def with_waves(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnapshotStore]:
    serving = tmp_path_factory.mktemp("waves") / "serving"
    serving.mkdir()
    whole = published_path(demo_home / "serving")
    shutil.copy(whole, serving / whole.name)
    (serving / "current").symlink_to(whole.name)
    with duckdb.connect(str(serving / whole.name)) as connection:
        connection.execute(
            "insert into fct_index_changes by name select 'TCSI' as model, '2026-07' as period, '2026-01' as previous_period, latent_variable,"
            " weighting, mix_dimension, 69.25 as index_before, 71.5 as index_after, 2.25 as index_change, -1.25 as index_change_low,"
            " 5.75 as index_change_high, 1.75 as level_effect, 0.125 as weight_effect, 0.375 as mix_effect, 91 as respondents_before,"
            " 82 as respondents_after, false as is_small_base, date '2026-07-10' as first_day from (values ('satisfaction'), ('image')) as l(latent_variable),"
            " (values ('own'), ('frozen')) as w(weighting), (values ('product_line'), ('province')) as m(mix_dimension)"
        )
        connection.execute(
            "insert into fct_index_paths by name select 'TCSI' as model, '2026-07' as period, figure, 'satisfaction' as latent_variable,"
            " antecedent, '' as item, figure_value, figure_value - 0.1 as low, figure_value + 0.1 as high, 82 as respondents, 'path' as scheme,"
            " '1' as model_version, date '2026-07-16' as as_of from (values ('path', 'image', 0.4375), ('total_effect', 'image', 0.6875),"
            " ('r_squared', '', 0.625)) as f(figure, antecedent, figure_value)"
        )
        connection.execute(
            "insert into fct_index_comparison by name select 'TCSI' as model, '2026-07' as period, 'mobile' as product_line, 'crm' as source, entity,"
            " 72.25 as own_index, 69.5 as own_low, 75.0 as own_high, 31 as own_respondents, false as is_small_base, '2008' as published_period,"
            " published_value, lower_bound, upper_bound, value_note, 18 as years_apart, standing, date '2026-07-10' as first_day"
            " from (values ('Alpha', 78.625, 78.625, 78.625, null, 'below'), ('Beta', null, 71.0, 71.875, 'printed as 71.', 'undecided'))"
            " as p(entity, published_value, lower_bound, upper_bound, value_note, standing)"
        )
    store = SnapshotStore(serving)
    yield store
    store.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_index_is_taken_apart_and_set_beside_published_ones(with_waves: SnapshotStore, language: str) -> None:
    words = drawn(with_waves, "/satisfaction", "?tab=index", language)
    for shown in ("+1.75", "+0.12", "+0.38", "+2.25", "0.44", "0.69", "78.6"):
        assert shown in words, shown
    joined = " ".join(words)
    assert "Alpha" in joined and "printed as 71." in joined, "a figure printed without its last digits keeps its note"
    assert ("71.0 to 71.9" if language == "en" else "71.0 至 71.9") in joined, "and its bounds"


def test_without_waves_the_page_says_so(demo_home: Path) -> None:
    store = SnapshotStore(demo_home / "serving")
    with closing(store):
        assert "There are no two waves to compare." in drawn(store, "/satisfaction", "?tab=index")
        assert "No survey of the last year asks for expectation and perception." in drawn(
            store, "/satisfaction", "?tab=quality"
        )


# Pictures


def test_a_flow_keeps_every_station_in_the_picture_and_apart() -> None:
    places = [flow.Place(name, side, note="1") for side in (0, 1) for name in "abcd"]
    flows = [
        flow.Flow(one, 4 + other, count, one != other)
        for one, big in enumerate((40.0, 10.0, 1.0, 0.1))
        for other in range(4)
        for count in [big if one == other else big / 10]
    ]
    height = 360
    node = flow.flow_figure(translator("en"), places, flows, "Customers", height).data[0].node
    assert list(node.label) == [f"{name} 1" for name in "abcdabcd"]
    room = height - 24
    into = [sum(one.count for one in flows if one.target == index) for index in range(8)]
    sizes = [sum(one.count for one in flows if one.source == index) or into[index] for index in range(8)]
    scale = (room - 3 * node.pad) / sum(sizes[:4])
    for side in (0, 1):
        edges = [
            (node.y[index] * room - sizes[index] * scale / 2, node.y[index] * room + sizes[index] * scale / 2)
            for index in range(4 * side, 4 * side + 4)
        ]
        assert edges[0][0] >= -0.5 and edges[-1][1] <= room + 0.5
        assert all(later[0] > sooner[1] for sooner, later in pairwise(edges))
        middles = [(low + high) / 2 for low, high in edges]
        assert all(later - sooner >= 16 for sooner, later in pairwise(middles)), "names would cover each other"


@given(st.floats(0, 1))
def test_a_number_in_a_cell_can_be_read(share: float) -> None:
    assert theme.contrast(matrix._ink(share), matrix._shade(share)) >= 4.5


def test_headings_break_between_words_and_in_chinese_between_letters() -> None:
    assert matrix._lines("Importance and performance", 10) == "Importance<br>and<br>performance"
    assert matrix._lines("期望与感知推导", 10) == "期望与感知<br>推导"
    figure = matrix.matrix_figure(["a<b"], ["x"], [[1.0]], [["1\n(n = 1)"]], [["h"]])
    assert figure.layout.annotations[0].text == "1<br>(n = 1)" and figure.layout.yaxis.ticktext[0] == "a&lt;b"


def test_pages_draw_for_a_reader_who_sees_nothing(demo_home: Path) -> None:
    store = SnapshotStore(demo_home / "serving", viewer=lambda: NOBODY)
    with closing(store):
        for path, tabs in (
            ("/", ("",)),
            ("/satisfaction", ("trends", "who", "quality", "drivers", "index")),
            ("/customers", ("loyalty", "churn", "tiers")),
        ):
            for tab in tabs:
                drawn(store, path, f"?tab={tab}" if tab else "")
