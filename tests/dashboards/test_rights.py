"""No question about a snapshot tells a limited reader of a row that is not theirs. Questions are found, not listed, so that a new one is asked too."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboards.data import customers, metrics, queries
from dashboards.data.metrics import Filters, catalogue
from dashboards.data.rights import EVERYTHING, MASK, NOBODY, NotAllowed, Viewer
from dashboards.data.small_cells import LEAST, hidden_cells
from dashboards.data.snapshot import Snapshot, SnapshotStore, open_snapshot, published_path
from dashboards.data.sql import query_sql
from dashboards.i18n import translator
from tests.conftest import LAST_DAY
from tests.dashboards.rights import CITY, CITY_READER, PROVINCE, VISIBLE, plain, questions, reduced, scalars

END = date.fromisoformat(LAST_DAY)
START = END - timedelta(days=89)
PERIOD = Filters(start=START, end=END)
FREE_SQL = {"sql.query_sql", "sql.query_apart"}


@pytest.fixture(scope="module")
def whole(demo_home: Path) -> Iterator[Snapshot]:
    with closing(open_snapshot(published_path(demo_home / "serving"))) as found:
        yield found


@pytest.fixture(scope="module")
def seen(whole: Snapshot) -> Snapshot:
    """The company as the city's reader sees it."""
    return whole.for_viewer(CITY_READER)


@pytest.fixture(scope="module")
def only_theirs(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """A company that has nothing else, asked with the same rights (they decide on small cells too)."""
    serving = reduced(demo_home, tmp_path_factory.mktemp("reduced") / "serving")
    with closing(open_snapshot(published_path(serving))) as found:
        yield found.for_viewer(CITY_READER)


@pytest.fixture(scope="module")
def own_customer(seen: Snapshot) -> str:
    (row,) = seen.rows(
        "select customer_key from fct_contacts where customer_key is not null group by 1 order by count(*) desc, 1 limit 1"
    )
    return str(row["customer_key"])


def _arguments(name: str, function: Any, customer: str) -> list[dict[str, Any]]:
    """What a question is asked with, by the names of its parameters; several ways for questions about metrics."""
    known: dict[str, Any] = {
        "names": ["tickets_created", "csat_top2", "billed_amount", "complainant_count", "wait_p90"], "name": "tickets_created",
        "filters": PERIOD, "grain": "week", "by": ["org_unit_id"], "family": "csat_top2", "language": "en", "dimension": "org_unit_id",
        "limit": 50, "source": "crm", "feed": "customers", "reason": "name:missing", "key": customer, "wanted": customer, "queue": "general",
        "start": START, "end": END, "within_seconds": 20.0, "time_zone": "Asia/Shanghai", "t": translator("en"), "sql": "select 1",
        "units": [PROVINCE], "unit": CITY, "month": date(END.year, END.month - 1, 1), "week": START + timedelta(days=7 - START.weekday()),
        "until": END, "codes": ["us.billing"], "code": "us.billing", "most": 12, "part": "value", "scheme": "pyramid",
        "before": Filters(start=START - timedelta(days=90), end=START - timedelta(days=1)),
    }  # fmt: skip
    special: dict[str, dict[str, Any]] = {
        "queries.metric_week": {"name": "calls_offered", "by": "channel"}, "metrics.weekday_frame": {"by": "org_unit_id"},
        "queues.queue_waits": {"by": "org_unit_id", "source": None}, "atlas.variants": {"family": "csat_top2"},
        "causes.find_cause": {"wanted": "us.billing"}, "causes.over_representation": {"by": "channel"},
        "contact_centre.agent_places": {"name": "transfer_rate"},
    }  # fmt: skip
    given: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "snapshot":
            continue
        if parameter.name in special.get(name, {}):
            given[parameter.name] = special[name][parameter.name]
        elif parameter.name in known:
            given[parameter.name] = known[parameter.name]
        elif parameter.default is inspect.Parameter.empty:
            pytest.fail(f"{name} takes {parameter.name!r}; say in this test what it is asked with.")
    return [given]


def _asked(snapshot: Snapshot, name: str, function: Any, customer: str) -> Any:
    return [plain(function(snapshot, **given)) for given in _arguments(name, function, customer)]


@pytest.fixture(scope="module")
def foreign(whole: Snapshot) -> frozenset[str]:
    """Keys and ids that occur in rows of other units and in none of the reader's."""
    theirs: set[str] = set()
    others: set[str] = set()
    tables = whole.rows(
        "select table_schema as s, table_name as t, column_name as c from information_schema.columns where table_schema = 'main' and data_type = 'VARCHAR'"
        " and (ends_with(column_name, '_id') or ends_with(column_name, '_key')) and column_name not in ('row_unit_id', 'survey_id', 'run_id', 'file_id', 'line_id')"
    )
    visible = ", ".join(f"'{unit}'" for unit in ("*", *VISIBLE))
    for row in tables:
        if row["t"] == "dim_org_units":
            continue
        values = whole.rows(
            f'select distinct "{row["c"]}" as value, coalesce(row_unit_id in ({visible}), false) as is_theirs from main."{row["t"]}" where "{row["c"]}" is not null'
        )
        theirs |= {one["value"] for one in values if one["is_theirs"]}
        others |= {one["value"] for one in values if not one["is_theirs"]}
    # Codes in words (queue names, "unknown") tell of nobody.
    found = {
        value for value in others - theirs if any(sign.isdigit() for sign in value) or value.startswith(("C-", "P-"))
    }
    assert "C-SC-CD" in found and len(found) > 1000
    return frozenset(found)


def test_there_are_questions() -> None:
    names = [name for name, _ in questions()]
    assert len(names) > 30 and "queries.survival_curves" in names and "customers.customer_file" in names


@pytest.mark.parametrize(
    ("name", "function"), list(questions()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_question_tells_only_of_rows_of_the_reader(
    name: str, function: Any, seen: Snapshot, only_theirs: Snapshot, foreign: frozenset[str], own_customer: str
) -> None:
    if name in FREE_SQL:
        with pytest.raises(NotAllowed):
            function(seen, "select 1")
        return
    answer = _asked(seen, name, function, own_customer)
    assert answer == _asked(only_theirs, name, function, own_customer), f"{name} knows more than the rows of the reader"
    assert not foreign & {value for value in scalars(answer) if isinstance(value, str)}, f"{name} names others"


def test_every_metric_tells_only_of_rows_of_the_reader(seen: Snapshot, only_theirs: Snapshot) -> None:
    several = 0
    for name, metric in catalogue(seen).items():
        assert metrics.metric_value(seen, name, PERIOD) == metrics.metric_value(only_theirs, name, PERIOD), name
        if "org_unit_id" in metric.dimensions:
            frame = metrics.metric_frame(seen, [name], by=["org_unit_id"], filters=PERIOD)
            assert set(frame["org_unit_id"]) <= set(VISIBLE), name
            several += frame.height
    assert several > 100


def test_a_reader_of_all_units_sees_what_the_command_line_sees(whole: Snapshot) -> None:
    chief = whole.for_viewer(Viewer("chief", "executive", None, False))
    for name in ("tickets_created", "csat_top2", "complainant_count"):
        assert metrics.metric_value(chief, name, PERIOD) == metrics.metric_value(whole, name, PERIOD)
    assert queries.survival_curves(chief) == queries.survival_curves(whole)


def test_who_has_no_units_gets_words_and_no_figures(whole: Snapshot) -> None:
    nobody = whole.for_viewer(NOBODY)
    assert len(catalogue(nobody)) == len(catalogue(whole))
    assert metrics.metric_value(nobody, "tickets_created", PERIOD).value is None
    assert nobody.rows("select count(*) as n from fct_tickets") == [{"n": 0}]


def test_the_whole_snapshot_is_out_of_reach_of_a_viewer(seen: Snapshot) -> None:
    with pytest.raises(ValueError):
        seen.for_viewer(EVERYTHING)
    with pytest.raises(Exception, match="does not exist"):
        seen._connection.cursor().execute("select * from fct_tickets")


def test_customers_are_opened_and_named_only_with_the_right(whole: Snapshot, own_customer: str) -> None:
    masked = whole.for_viewer(Viewer("li", "executive", None, False))
    for question in (customers.customer_file, customers.find_customer):
        with pytest.raises(NotAllowed, match="personal"):
            question(masked, own_customer)
    assert masked.rows("select customer_key from dim_customers limit 1") == [{"customer_key": MASK}]
    (counted,) = masked.rows("select count(distinct customer_key) as n from dim_customers")
    assert counted["n"] > 100, "the mask must not change what is counted"
    rows = masked.rows("select content, row_key from fct_quarantined_rows where content is not null")
    assert rows and {row["content"] for row in rows} == {MASK}


def test_a_customer_of_another_unit_is_not_there(whole: Snapshot, seen: Snapshot) -> None:
    (row,) = whole.rows(
        "select customer_key from dim_customers where row_unit_id not in (?, ?) order by 1 limit 1", list(VISIBLE)
    )
    with pytest.raises(customers.CustomerError):
        customers.customer_file(seen, row["customer_key"])
    told: list[Any] = []
    noting = whole.for_viewer(Viewer("xu", "analyst", None, True), lambda event, **facts: told.append((event, facts)))
    customers.customer_file(noting, row["customer_key"], limit=1)
    assert told == [("customer opened", {"customer_key": row["customer_key"]})]


def test_free_sql_is_for_analysts_who_see_everything(whole: Snapshot) -> None:
    assert query_sql(whole.for_viewer(Viewer("xu", "analyst")), "select 1 as one").height == 1
    for viewer in (
        CITY_READER,
        Viewer("xu", "analyst", None, False),
        Viewer("yan", "scheduler"),
        Viewer("bo", "executive"),
    ):
        with pytest.raises(NotAllowed):
            query_sql(whole.for_viewer(viewer), "select 1 as one")


def test_a_store_asks_for_its_reader_each_time(demo_home: Path) -> None:
    readers = [CITY_READER, EVERYTHING]
    with closing(SnapshotStore(demo_home / "serving", viewer=lambda: readers[0])) as store:
        few = queries.metric_values(store.current(), ["tickets_created"], PERIOD)["tickets_created"].value
        readers.pop(0)
        all_of_them = queries.metric_values(store.current(), ["tickets_created"], PERIOD)["tickets_created"].value
    assert few and all_of_them and few < all_of_them


def test_a_limited_reader_is_told_no_small_cell_and_no_difference_that_tells_one(
    whole: Snapshot, seen: Snapshot
) -> None:
    province = whole.for_viewer(Viewer("wu", "executive", frozenset({PROVINCE}), False))
    hidden = 0
    for by in (["channel"], ["product_line", "channel"], ["topic"]):
        told = metrics.metric_frame(province, ["tickets_created"], by=by, filters=PERIOD)
        true = metrics.metric_frame(
            whole, ["tickets_created"], by=by, filters=Filters(start=START, end=END, units=(PROVINCE,))
        )
        assert told.select(by).equals(true.select(by))
        rows = [(one, other) for one, other in zip(told.to_dicts(), true.to_dicts(), strict=True)]
        for one, other in rows:
            assert one["value"] in (None, other["value"])
            assert one["value"] is None or one["value"] == 0 or one["value"] >= LEAST
        left = sum(other["value"] for one, other in rows if one["value"] is None)
        gone = [one for one, _ in rows if one["value"] is None]
        assert left == 0 or (left >= LEAST and len(gone) >= 2), "the total tells what was hidden"
        assert all(one["n"] == 0 and one["numerator"] is None for one in gone)
        hidden += len(gone)
    assert hidden, "nothing was small; the test proves nothing"


def test_a_filter_that_leaves_few_out_is_not_answered(whole: Snapshot) -> None:
    viewer = whole.for_viewer(Viewer("wu", "executive", frozenset({PROVINCE}), False))
    frame = metrics.metric_frame(
        whole, ["tickets_created"], by=["topic"], filters=Filters(start=START, end=END, units=(PROVINCE,))
    )
    small = frame.filter(frame["value"] < LEAST)["topic"].to_list()
    rest = tuple(topic for topic in frame["topic"].to_list() if topic != small[0])
    asked = Filters(start=START, end=END, where={"topic": rest})
    assert metrics.metric_value(viewer, "tickets_created", asked).value is None
    assert metrics.metric_value(viewer, "tickets_created", PERIOD).value is not None


def test_amounts_are_hidden_by_the_rows_behind_them(whole: Snapshot) -> None:
    """A large amount of one customer is a small cell."""
    viewer = whole.for_viewer(Viewer("wu", "executive", frozenset({PROVINCE}), False))
    split = ["product_line", "customer_kind"]
    told = metrics.metric_frame(viewer, ["billed_amount"], by=split, grain="day", filters=PERIOD).to_dicts()
    part = catalogue(whole)["billed_amount"].parts[0]
    rows = whole.rows(
        f'select "{part.clock}" as metric_time, product_line, customer_kind, count(*) as n from main."{part.model}" where row_unit_id in'
        f" (select org_unit_id from dim_org_units where path like ?) group by all",
        [f"%/{PROVINCE}/%"],
    )
    behind = {(row["metric_time"], row["product_line"], row["customer_kind"]): row["n"] for row in rows}
    shown = [row for row in told if row["value"] is not None]
    assert shown and len(shown) < len(told)
    assert all(behind[row["metric_time"], row["product_line"], row["customer_kind"]] >= LEAST for row in shown)


def test_which_cells_are_hidden() -> None:
    assert hidden_cells({("a",): 9, ("b",): 7, ("c",): 0}) == set()
    assert hidden_cells({("a",): 9, ("b",): 7, ("c",): 2}) == {("c",), ("b",)}, "one alone follows from the total"
    assert hidden_cells({("a",): 9, ("b",): 2, ("c",): 2}) == {("a",), ("b",), ("c",)}, "four together are still few"
    assert hidden_cells({("a",): 9, ("b",): 3, ("c",): 2}) == {("b",), ("c",)}
    square = {(row, column): 20.0 for row in "ab" for column in "xy"} | {("a", "x"): 1.0}
    assert hidden_cells(square) == set(square), "rows and columns of two: one hidden cell takes all"


def test_the_same_cells_are_hidden_in_whatever_order_they_come() -> None:
    """A database gives groups in any order; two answers that hide different cells would tell both."""
    dice = random.Random(1)
    for _ in range(200):
        cells = {(row, column): float(dice.choice((0, 1, 3, 6, 6, 9, 20))) for row in "abcd" for column in "wxyz"}
        shuffled = list(cells.items())
        dice.shuffle(shuffled)
        assert hidden_cells(dict(shuffled)) == hidden_cells(cells)


def test_a_city_reader_has_the_city_alone_in_the_filters(seen: Snapshot) -> None:
    assert {choice.value for choice in queries.filter_choices(seen, "en").units} == {CITY}
