"""Announced waits on the real calls of the bank, told again by a clerk who reads the two files event by event.

The clerk shares nothing with `orchestration.modelling.waits`: plain Python, one call after the other, no arrays.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import polars as pl
import pytest

from orchestration.modelling import waits
from orchestration.settings import PROJECT_ROOT
from tests.acceptance.conftest import TIME_ZONE, RealHome, file_rows
from tests.conftest import csatlas

pytestmark = pytest.mark.real_data

QUANTILE, LEAST, WINDOW, PACE = 0.9, 50, 500, 30
NEVER = "0:00:00"


class Stay(NamedTuple):
    """A stay in the queue, by the bank's clock."""

    queued_at: datetime
    call: str
    kind: str
    priority: str
    wait: int
    is_answered: bool

    @property
    def left_at(self) -> datetime:
        return self.queued_at + timedelta(seconds=self.wait)


def moment(line: dict[str, str], column: str) -> datetime:
    """A time of day more than half a day before the call's beginning lies after midnight."""

    def seconds(text: str) -> int:
        hours, minutes, rest = (int(part) for part in text.split(":"))
        return hours * 3600 + minutes * 60 + rest

    day = datetime.strptime(line["date"], "%y%m%d")
    found, began = seconds(line[column]), seconds(line["vru_entry"])
    return day + timedelta(seconds=found + (86_400 if found < began - 43_200 else 0))


@pytest.fixture(scope="module")
def stays(real_home: RealHome) -> list[Stay]:
    """Inbound calls that an agent took or that hung up in the queue, in the order of coming in."""
    found = []
    for name in ("01_January.txt", "02_February.txt"):
        header, *rows = file_rows(real_home.data / "anonymous_bank_calls" / name, "\t")
        for fields in rows:
            line = dict(zip(header, fields, strict=True))
            queued = (line["q_start"], line["q_exit"]) != (NEVER, NEVER)
            served = (line["ser_start"], line["ser_exit"]) != (NEVER, NEVER)
            if line["type"] == "TT" or int(line["vru_time"]) < 0:
                continue
            if line["outcome"] != "AGENT" and not (line["outcome"] == "HANG" and queued):
                continue
            # Who found an agent free came into no queue: a wait of 0 s, at the answer.
            came = moment(line, "q_start" if queued else "ser_start" if served else "vru_exit")
            found.append(
                Stay(
                    came, f"{line['vru+line']}-{line['call_id']}", line["type"], line["priority"],
                    int(line["q_time"]) if queued else 0, line["outcome"] == "AGENT",
                )
            )  # fmt: skip
    return sorted(found)


class Told(NamedTuple):
    stay: Stay
    estimator: str
    caller_class: str
    seconds: float | None


def clerk(stays: list[Stay], class_of: Callable[[Stay], str]) -> Iterator[Told]:
    """What would have been announced to each caller, from what had happened before the second of coming in."""
    lines: dict[str, list[Stay]] = defaultdict(list)
    for stay in stays:
        lines[class_of(stay)].append(stay)
    for name, line in lines.items():
        leaving = sorted(range(len(line)), key=lambda place: (line[place].left_at, place))
        inside: dict[int, Stay] = {}
        last: Stay | None = None
        pace: deque[float] = deque(maxlen=PACE)
        estimates: dict[int, dict[str, float | None]] = {}
        past: dict[tuple[str, int], deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
        gone = 0
        for place, stay in enumerate(line):
            while gone < len(leaving) and line[leaving[gone]].left_at < stay.queued_at:
                leaver = line[leaving[gone]]
                inside.pop(leaving[gone], None)
                if leaver.is_answered:
                    if last is not None and leaver.queued_at <= last.left_at:
                        pace.append((leaver.left_at - last.left_at).total_seconds())
                    last = leaver
                    for estimator, estimate in estimates.pop(leaving[gone]).items():
                        if estimate is not None:
                            past[estimator, size(estimate)].append(leaver.wait - estimate)
                gone += 1
            mine: dict[str, float | None] = {
                "queue_length": (len(inside) + 1) * (math.fsum(pace) / len(pace)) if pace else None,
                "last_to_enter_service": None if last is None else float(last.wait),
                "head_of_line": (stay.queued_at - next(iter(inside.values())).queued_at).total_seconds()
                if inside
                else 0.0,
            }
            estimates[place] = mine
            inside[place] = stay
            for estimator, estimate in mine.items():
                told = None
                if estimate is not None:
                    known = sorted(past[estimator, size(estimate)])
                    rank = math.ceil((len(known) + 1) * QUANTILE - 1e-9)
                    if len(known) >= LEAST and rank <= len(known):
                        told = max(estimate + known[rank - 1], 0.0)
                yield Told(stay, estimator, name, told)


def size(estimate: float) -> int:
    """Estimates below 15 s are one size, then one per doubling."""
    return 0 if estimate < 15 else 1 + math.floor(math.log2(estimate / 15))


Score = tuple[int, float | None, float | None, float | None, int, int]


def scores(told: list[Told], key: Callable[[Told], tuple[Any, ...]]) -> dict[tuple[Any, ...], Score]:
    """n, coverage, pinball loss, bias, callers who gave up, callers without an announcement."""
    groups: dict[tuple[Any, ...], list[Told]] = defaultdict(list)
    for one in told:
        groups[key(one)].append(one)
    found: dict[tuple[Any, ...], Score] = {}
    for group, members in groups.items():
        over = [one.seconds - one.stay.wait for one in members if one.seconds is not None and one.stay.is_answered]
        n = len(over)
        loss = math.fsum((1 - QUANTILE) * x if x >= 0 else -QUANTILE * x for x in over)
        found[group] = (
            n,
            sum(x >= 0 for x in over) / n if n else None,
            loss / n if n else None,
            math.fsum(over) / n if n else None,
            sum(one.seconds is not None and not one.stay.is_answered for one in members),
            sum(one.seconds is None for one in members),
        )
    return found


def of_rows(rows: list[dict[str, Any]], *key: str) -> dict[tuple[Any, ...], Score]:
    return {
        tuple(row[name] for name in key): (
            row["n"], row["coverage"], row["pinball_loss_seconds"], row["bias_seconds"], row["abandoned"], row["unannounced"],
        )
        for row in rows
    }  # fmt: skip


def assert_same(found: dict[tuple[Any, ...], Score], expected: dict[tuple[Any, ...], Score]) -> None:
    """Whole numbers to the call; means to the last digits of their sums."""
    assert found.keys() == expected.keys()
    for group, values in expected.items():
        assert found[group] == tuple(
            value if value is None or isinstance(value, int) else pytest.approx(value, abs=1e-6) for value in values
        ), group


@pytest.fixture(scope="module")
def by_type(real_home: RealHome) -> dict[str, Any]:
    """The command's own answer, from the published snapshot."""
    done = csatlas(
        real_home.settings.home, "waits", "unknown", "--from", "1999-01-01", "--to", "1999-02-28", "--by", "call_type",
        "--source", "anonymous_bank_calls", "--quantile", str(QUANTILE), "--json", env={"CSATLAS_TIME_ZONE": TIME_ZONE},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture(scope="module")
def told_by_type(stays: list[Stay]) -> list[Told]:
    return list(clerk(stays, lambda stay: stay.kind))


def test_who_stood_in_the_queue(by_type: dict[str, Any], stays: list[Stay]) -> None:
    assert (by_type["calls"], by_type["unknown"], by_type["time_zone"]) == (len(stays), 0, TIME_ZONE)
    assert len(stays) == 59_277


def test_scores_per_type_are_the_clerks(by_type: dict[str, Any], told_by_type: list[Told]) -> None:
    expected = scores(told_by_type, lambda one: (one.estimator, one.caller_class))
    assert len(expected) == 15
    assert_same(of_rows(by_type["classes"], "estimator", "caller_class"), expected)


def test_scores_per_type_and_hour_are_the_clerks(by_type: dict[str, Any], told_by_type: list[Told]) -> None:
    expected = scores(told_by_type, lambda one: (one.estimator, one.caller_class, one.stay.queued_at.hour))
    assert len(expected) > 200
    assert_same(of_rows(by_type["hours"], "estimator", "caller_class", "hour"), expected)


def test_the_quantile_is_nearly_kept_for_each_large_class(by_type: dict[str, Any]) -> None:
    """Of real callers too: within two points for every class of a thousand calls. It is missed on the short side, as the waits
    of the bank grow and shrink within the day (docs/staffing.md)."""
    large = [row for row in by_type["classes"] if row["n"] >= 1000]
    assert {(row["estimator"], row["caller_class"]) for row in large} == {
        (estimator, kind) for estimator in waits.ESTIMATORS for kind in ("NE", "NW", "PS")
    }
    for row in large:
        assert abs(row["coverage"] - QUANTILE) <= 0.02, row
        assert row["coverage_low"] <= row["coverage"] <= row["coverage_high"]
    small = [row for row in by_type["classes"] if row["n"] < 1000 and row["estimator"] == "queue_length"]
    assert all(row["coverage_low"] <= QUANTILE <= row["coverage_high"] for row in small)


def test_the_estimator_of_least_loss_is_named(by_type: dict[str, Any], told_by_type: list[Told]) -> None:
    announced: dict[str, dict[str, float]] = defaultdict(dict)
    for one in told_by_type:
        if one.seconds is not None and one.stay.is_answered:
            over = one.seconds - one.stay.wait
            announced[one.stay.call][one.estimator] = (1 - QUANTILE) * over if over >= 0 else -QUANTILE * over
    losses = [found for found in announced.values() if len(found) == 3]
    totals = {estimator: math.fsum(found[estimator] for found in losses) for estimator in waits.ESTIMATORS}
    assert by_type["best_estimator"] == min(totals, key=lambda name: totals[name]) == "queue_length"


def lines_of(rows: list[dict[str, Any]], estimator: str) -> list[list[str]]:
    """Lines of the table in docs/staffing.md."""
    return [
        [
            f"{row['caller_class']}",
            f"{row['n']:,}",
            f"{100 * row['coverage']:.1f} % ({100 * row['coverage_low']:.1f} to {100 * row['coverage_high']:.1f})",
            f"{100 * row['coverage_at_least']:.1f} to {100 * row['coverage_at_most']:.1f} %",
            f"{row['pinball_loss_seconds']:.1f} s",
            f"{row['bias_seconds']:+.0f} s",
            f"{row['unannounced']:,}",
        ]
        for row in rows
        if row["estimator"] == estimator
    ]


def documented(heading: str) -> list[list[str]]:
    page = (PROJECT_ROOT / "docs" / "staffing.md").read_text(encoding="utf-8")
    table = page.split(f"{heading}\n\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()][2:]


def test_the_table_of_the_docs_is_what_was_measured(by_type: dict[str, Any]) -> None:
    assert documented("By type of call (`queue_length`):") == lines_of(by_type["classes"], "queue_length")


def test_fairness_between_types(by_type: dict[str, Any], told_by_type: list[Told]) -> None:
    expected = scores(told_by_type, lambda one: (one.estimator, one.caller_class))
    for row in by_type["fairness"]:
        coverage = {
            kind: score[1]
            for (estimator, kind), score in expected.items()
            if estimator == row["estimator"] and score[0] >= 50
        }
        assert row["classes"] == len(coverage)
        assert row["spread"] == pytest.approx(max(coverage.values()) - min(coverage.values()))  # type: ignore[type-var, operator]
        assert coverage[row["lowest_class"]] == pytest.approx(row["lowest_coverage"])
        # No estimator treats one type of caller otherwise than chance does.
        assert row["spread_low"] < row["spread_by_chance"] and row["spread"] <= row["spread_by_chance"], row


def test_by_priority(real_home: RealHome, stays: list[Stay]) -> None:
    """Important customers stand ahead of the others; each priority is a line of its own. From the files: no mart has the priority."""
    frame = pl.DataFrame(
        {
            "caller_class": [stay.priority for stay in stays],
            "queued_at": [stay.queued_at for stay in stays],
            "answered_at": [stay.left_at if stay.is_answered else None for stay in stays],
            "abandoned_at": [None if stay.is_answered else stay.left_at for stay in stays],
        },
        schema_overrides={"answered_at": pl.Datetime("us"), "abandoned_at": pl.Datetime("us")},
    )
    announced = waits.announce(frame, quantile=QUANTILE)
    told = list(clerk(stays, lambda stay: stay.priority))
    for by, key in (
        ("all", lambda one: (one.estimator, one.caller_class, None)),
        ("hour_of_day", lambda one: (one.estimator, one.caller_class, one.stay.queued_at.hour)),
    ):
        found = waits.score(announced, quantile=QUANTILE, by=by).to_dicts()  # type: ignore[arg-type]
        assert_same(of_rows(found, "estimator", "caller_class", "hour"), scores(told, key))  # type: ignore[arg-type]
    whole = waits.score(announced, quantile=QUANTILE, by="all").filter(pl.col("n") >= 1000)
    assert whole.height == 9
    assert documented("By priority (`queue_length`):") == lines_of(whole.to_dicts(), "queue_length")
    assert whole.select(((pl.col("coverage") - QUANTILE).abs() <= 0.03).all()).item(), whole
    # Unlike the types, the priorities are not treated alike: the middle one is told too little, beyond what chance would show.
    for row in waits.fairness(announced, seed=7).to_dicts():
        assert (row["lowest_class"], row["highest_class"]) == ("1", "0")
        assert row["spread"] > row["spread_by_chance"]
