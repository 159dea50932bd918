"""Erlang B, C and A against the published example, exact fractions, a birth-death chain, a simulation, and their limits."""

from __future__ import annotations

import heapq
import math
from collections import deque
from datetime import datetime, timedelta
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestration.modelling import staffing


def exact_b(load: Fraction, agents: int) -> Fraction:
    """Erlang B as the textbook defines it: the last term of a truncated Poisson sum."""
    term = total = Fraction(1)
    for k in range(1, agents + 1):
        term = term * load / k
        total += term
    return term / total


def exact_c(load: Fraction, agents: int) -> Fraction:
    """Erlang C from its own sum, not from Erlang B."""
    term, total = Fraction(1), Fraction(0)
    for k in range(agents):
        total += term
        term = term * load / (k + 1)
    tail = term * agents / (agents - load)
    return tail / (total + tail)


# --- Erlang C, the published example ------------------------------------------------------------------------------------


def hundred_calls(agents: object) -> staffing.Performance:
    return staffing.performance(100, 180, agents, target_seconds=20)  # type: ignore[arg-type]


def test_the_published_example() -> None:
    found = hundred_calls([11, 12, 13, 14])
    assert found.probability_of_waiting[[0, 3]].round(5).tolist() == [0.68212, 0.17413]
    assert (100 * found.service_level()).round(2).tolist() == [38.96, 64.02, 79.56, 88.84]
    last = hundred_calls(14)
    assert round(float(100 * last.service_level()), 3) == 88.835
    assert round(float(last.average_speed_of_answer_seconds), 3) == 7.836
    assert round(float(100 * last.occupancy), 1) == 71.4
    assert float(last.abandonment_probability) == 0


def test_a_level_just_missed_is_missed() -> None:
    needed = staffing.required_agents(100, 180, target_seconds=20, service_level=0.8)
    assert int(needed) == 14, "13 agents reach 79.56 %, which is not 80 %"
    assert int(staffing.required_agents(100, 180, target_seconds=20, service_level=0.7955)) == 13
    assert int(staffing.heads(needed, 0.3)) == 20


@pytest.mark.parametrize(
    ("agents", "shrinkage", "people"),
    [(14, 0.3, 20), (7, 0.3, 10), (15, 0.3, 22), (9, 0.1, 10), (18, 0.1, 20), (0, 0.3, 0), (5, 0, 5)],
)
def test_heads_are_rounded_up_and_only_up(agents: int, shrinkage: float, people: int) -> None:
    assert int(staffing.heads(agents, shrinkage)) == people


@given(st.integers(0, 5000), st.integers(0, 99))
def test_heads_equal_exact_arithmetic(agents: int, percent: int) -> None:
    assert int(staffing.heads(agents, percent / 100)) == math.ceil(Fraction(agents * 100, 100 - percent))


# --- Erlang B and C against fractions ------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 60))
def test_b_and_c_equal_exact_fractions(tenths: int, agents: int) -> None:
    load = Fraction(tenths, 10)
    assert float(staffing.erlang_b(float(load), agents)) == pytest.approx(float(exact_b(load, agents)), rel=1e-12)
    expected = float(exact_c(load, agents)) if load < agents else 1.0
    assert float(staffing.erlang_c(float(load), agents)) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("load", "agents"), [(1000, 1010), (2000, 2100), (4990, 5000)])
def test_thousands_of_agents(load: int, agents: int) -> None:
    # Sums of logarithms: another road to the same number, good to nine digits here.
    logs = np.arange(agents + 1) * math.log(load) - np.array([math.lgamma(k + 1) for k in range(agents + 1)])
    terms = np.exp(logs - logs.max())
    blocking = terms[-1] / terms.sum()
    assert float(staffing.erlang_b(load, agents)) == pytest.approx(blocking, rel=1e-8)
    tail = terms[-1] * agents / (agents - load)
    assert float(staffing.erlang_c(load, agents)) == pytest.approx(tail / (terms[:-1].sum() + tail), rel=1e-8)


def test_vanishing_probabilities_vanish_without_overflow() -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert 0 <= float(staffing.erlang_b(1.0, 5000)) < 1e-300
        assert float(staffing.erlang_b(5000.0, 10)) == pytest.approx(1 - 10 / 5000, rel=1e-3)
        assert float(staffing.erlang_c(1.0, 5000)) < 1e-300


@given(st.floats(0.01, 300), st.integers(1, 400))
def test_relations_of_b_and_c(load: float, agents: int) -> None:
    b, before = float(staffing.erlang_b(load, agents)), float(staffing.erlang_b(load, agents - 1))
    assert 0 <= b < before <= 1 or b == before == 0
    assume(load < agents)
    c = float(staffing.erlang_c(load, agents))
    # Who waits for a place is at least as likely to find all busy as who is turned away; 1/C = 1 + (N - a) / (a B(N-1)).
    assert b <= c * (1 + 1e-12)
    if before > 1e-290:
        assert 1 / c == pytest.approx(1 + (agents - load) / (load * before), rel=1e-9)


def test_required_lines() -> None:
    # 10 Erlangs at 1 %: 18 lines, as every printed table has it.
    assert int(staffing.required_lines(10, 0.01)) == 18
    lines = staffing.required_lines([0, 0.5, 40, 900], 0.02)
    assert lines[0] == 0
    assert (staffing.erlang_b([0.5, 40, 900], lines[1:]) <= 0.02).all()
    assert (staffing.erlang_b([0.5, 40, 900], lines[1:] - 1) > 0.02).all()


# --- Erlang A against a birth-death chain solved number by number ---------------------------------------------------------


def chain(
    arrival: float, service: float, leaving: float, agents: int, target: float, states: int = 400
) -> dict[str, float]:
    """Steady state of the number in the system, and a marked caller followed through the queue by uniformisation.

    Shares nothing with the code under test: no Erlang B, no integral of the offered wait.
    """
    down = np.array([min(n, agents) * service + max(n - agents, 0) * leaving for n in range(1, states + 1)])
    logs = np.concatenate([[0.0], np.cumsum(np.log(arrival / down))])
    share = np.exp(logs - logs.max())
    share /= share.sum()
    assert share[-1] < 1e-18, "more states"
    states = int(np.flatnonzero(share > 1e-18).max())
    share = share[: states + 1]
    waiting = np.maximum(np.arange(states + 1) - agents, 0)
    abandoned = leaving * (share * waiting).sum() / arrival
    most = max(states - agents, 1)
    # A caller who comes in with k in the queue stands at place k + 1; agents and those ahead who leave move him forward.
    place = np.zeros(most)
    place[: len(share[agents:])] = share[agents : agents + most]
    ahead = np.arange(most)
    forward = agents * service + ahead * leaving
    speed = float(forward.max() + leaving)
    answered = early = 0.0
    mean = speed * target
    reached, gone = 0.0, 0.0
    for n in range(1, int(mean + 12 * math.sqrt(mean) + 40)):
        reached += place[0] * forward[0] / speed
        gone += place.sum() * leaving / speed
        stays = place * (1 - (forward + leaving) / speed)
        stays[:-1] += place[1:] * forward[1:] / speed
        place = stays
        poisson = math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) if mean else 0.0
        answered += poisson * reached
        early += poisson * gone
    return {
        "waiting": share[agents:].sum(),
        "abandoned": abandoned,
        "in_time": share[:agents].sum() + answered,
        "early": early,
        "mean_wait": (share * waiting).sum() / arrival,
        "occupancy": (share * np.minimum(np.arange(states + 1), agents)).sum() / agents if agents else math.nan,
    }


@pytest.mark.parametrize(
    ("calls", "handle", "agents", "patience"),
    [
        (100, 180, 11, 120),
        (100, 180, 8, 120),
        (100, 180, 10, 60),
        (100, 180, 14, 600),
        (100, 180, 3, 90),
        (100, 180, 1, 30),
        (4, 300, 1, 15),
        (500, 200, 50, 45),
        (500, 200, 60, 300),
        (30, 180, 2, 5),
    ],
)
@pytest.mark.parametrize("target", [0, 20, 90])
def test_a_equals_the_chain(calls: float, handle: float, agents: int, patience: float, target: float) -> None:
    truth = chain(calls / 1800, 1 / handle, 1 / patience, agents, target)
    found = staffing.performance(calls, handle, agents, target_seconds=target, patience_seconds=patience)
    assert float(found.probability_of_waiting) == pytest.approx(truth["waiting"], rel=1e-10)
    assert float(found.abandonment_probability) == pytest.approx(truth["abandoned"], rel=1e-10)
    assert float(found.answered_within_target) == pytest.approx(truth["in_time"], rel=1e-10)
    assert float(found.abandoned_within_target) == pytest.approx(truth["early"], rel=1e-8, abs=1e-12)
    assert float(found.occupancy) == pytest.approx(truth["occupancy"], rel=1e-10)
    # The mean wait of all is that of the answered and that of the others; those who gave up are the rest of the queue's time.
    answered = float(found.average_speed_of_answer_seconds) * (1 - truth["abandoned"])
    assert 0 <= answered <= truth["mean_wait"] * (1 + 1e-10)


@pytest.mark.parametrize(("agents", "patience"), [(11, 120.0), (6, 60.0), (1, 40.0)])
def test_speed_of_answer_is_the_mean_of_the_distribution(agents: int, patience: float) -> None:
    """Mean wait of the answered = integral of the share answered later than t, over the share answered."""
    step = 2.0
    seconds = np.arange(0, 1500, step)
    level = [
        float(
            staffing.performance(100, 180, agents, target_seconds=t, patience_seconds=patience).answered_within_target
        )
        for t in seconds
    ]
    found = staffing.performance(100, 180, agents, target_seconds=20, patience_seconds=patience)
    answered = 1 - float(found.abandonment_probability)
    late = answered - np.array(level)
    trapezoid = float((late[:-1] + late[1:]).sum() * step / 2) / answered
    assert float(found.average_speed_of_answer_seconds) == pytest.approx(trapezoid, rel=1e-3)


impatient = st.tuples(
    st.floats(1, 3000), st.floats(20, 900), st.integers(1, 300), st.floats(2, 5000), st.floats(0, 300)
)


@settings(max_examples=150, deadline=None)
@given(impatient)
def test_a_balances(case: tuple[float, float, int, float, float]) -> None:
    calls, handle, agents, patience, target = case
    found = staffing.performance(calls, handle, agents, target_seconds=target, patience_seconds=patience)
    waiting, gone = float(found.probability_of_waiting), float(found.abandonment_probability)
    in_time, early = float(found.answered_within_target), float(found.abandoned_within_target)
    assert 0 <= gone <= waiting * (1 + 1e-9) <= 1 + 2e-9
    assert 1 - waiting <= in_time * (1 + 1e-9) + 1e-12
    assert in_time <= 1 - gone + 1e-9
    assert 0 <= early <= gone * (1 + 1e-9)
    # What comes in goes out: answered calls keep the agents busy, and nobody is busy more than always.
    load = calls * handle / 1800
    assert float(found.occupancy) == pytest.approx(min(1.0, load * (1 - gone) / agents), rel=1e-9)
    assert gone >= 1 - agents / load - 1e-9
    # Palm: waiting = A B / (1 + (A - 1) B) and abandoned given waiting = 1 / (rho A) + 1 - 1 / rho, with the same A.
    b = float(staffing.erlang_b(load, agents))
    if 1e-6 < waiting < 1 - 1e-6 and b > 1e-9:
        a = waiting * (1 - b) / (b * (1 - waiting))
        rho = load / agents
        assert gone / waiting == pytest.approx(1 / (rho * a) + 1 - 1 / rho, rel=1e-5, abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(impatient, st.sampled_from(["abandons_bad", "abandons_good", "answered_only", "early_ignored"]))
def test_one_more_agent_never_makes_it_worse(case: tuple[float, float, int, float, float], definition: str) -> None:
    calls, handle, agents, patience, target = case
    found = staffing.performance(calls, handle, [agents, agents + 1], target_seconds=target, patience_seconds=patience)
    level = found.service_level(definition)  # type: ignore[arg-type]
    assert level[1] >= level[0] - 1e-9
    assert found.abandonment_probability[1] <= found.abandonment_probability[0] + 1e-9


@pytest.mark.parametrize("agents", [11, 12, 14, 40])
def test_endless_patience_is_erlang_c(agents: int) -> None:
    c = hundred_calls(agents)
    nearly = staffing.performance(100, 180, agents, target_seconds=20, patience_seconds=1e10)
    for name in ("probability_of_waiting", "answered_within_target", "average_speed_of_answer_seconds", "occupancy"):
        assert float(getattr(nearly, name)) == pytest.approx(float(getattr(c, name)), rel=1e-6), name
    assert float(nearly.abandonment_probability) < 1e-7
    assert float(
        staffing.performance(100, 180, agents, target_seconds=20, patience_seconds=1e300).service_level()
    ) == float(c.service_level())


@pytest.mark.parametrize(("load", "agents"), [(10, 8), (10, 14), (300, 280)])
def test_no_patience_is_erlang_b(load: float, agents: int) -> None:
    found = staffing.performance(load * 10, 180, agents, target_seconds=20, patience_seconds=1e-6)
    assert float(found.abandonment_probability) == pytest.approx(float(staffing.erlang_b(load, agents)), rel=1e-4)
    assert float(found.average_speed_of_answer_seconds) == pytest.approx(0, abs=1e-4)


def test_a_with_thousands_of_agents_and_an_overload_beyond_the_exponent() -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = staffing.performance([20000] * 3, 450, [3000, 5000, 5200], target_seconds=20, patience_seconds=900)
    # With 2,000 agents too few the fluid limit is all but exact: two fifths give up.
    assert float(found.abandonment_probability[0]) == pytest.approx(0.4, abs=1e-6)
    assert float(found.answered_within_target[0]) < 1e-12
    assert found.abandonment_probability[1] > found.abandonment_probability[2] > 0


def simulate(calls: float, handle: float, agents: int, patience: float, target: float, n: int, seed: int) -> np.ndarray:
    """(abandoned, answered in time, waiting) of each of n calls: events one after the other, first come first served."""
    random = np.random.default_rng(seed)
    arrival = np.cumsum(random.exponential(1800 / calls, n))
    talk, willing = random.exponential(handle, n), random.exponential(patience, n)
    free_at = [0.0] * agents
    result = np.zeros((n, 3))
    line: deque[int] = deque(range(n))
    while line:
        call = line.popleft()
        # First come first served: this call gets the first agent to come free, unless it has given up by then.
        start = max(arrival[call], free_at[0])
        wait = start - arrival[call]
        result[call, 2] = wait > 0
        if wait > willing[call]:
            result[call, 0] = 1
            continue
        heapq.heapreplace(free_at, start + talk[call])
        result[call, 1] = wait <= target
    return result


@pytest.mark.parametrize(("agents", "patience"), [(9, 120.0), (12, 60.0)])
def test_a_equals_a_simulation(agents: int, patience: float) -> None:
    """200,000 calls; tolerance: four standard errors of 100 batch means, each below half a point."""
    outcome = simulate(100, 180, agents, patience, 20, 200_000, seed=20240307)[10_000:]
    batches = outcome.reshape(100, -1, 3).mean(axis=1)
    mean, error = batches.mean(axis=0), batches.std(axis=0, ddof=1) / 10
    assert (error < 0.005).all()
    found = staffing.performance(100, 180, agents, target_seconds=20, patience_seconds=patience)
    expected = [found.abandonment_probability, found.answered_within_target, found.probability_of_waiting]
    for name, value, seen, within in zip(("gone", "in time", "waiting"), expected, mean, 4 * error, strict=True):
        assert float(value) == pytest.approx(seen, abs=within), name


# --- the definitions of the service level ---------------------------------------------------------------------------------


def test_definitions_agree_without_impatience_and_are_ordered_with_it() -> None:
    c = hundred_calls(12)
    names = ("abandons_bad", "early_ignored", "abandons_good", "answered_only")
    assert len({float(c.service_level(name)) for name in names}) == 1  # type: ignore[arg-type]
    found = staffing.performance(100, 180, 10, target_seconds=20, patience_seconds=90)
    levels = [float(found.service_level(name)) for name in names]  # type: ignore[arg-type]
    assert levels[0] < levels[1] < levels[2]
    assert levels[0] < levels[3]
    with pytest.raises(ValueError, match="definition: 'best' is none of"):
        found.service_level("best")  # type: ignore[arg-type]


# --- the smallest number of agents ----------------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(
    st.floats(0.5, 3000),
    st.floats(10, 900),
    st.floats(0, 120),
    st.floats(0.05, 0.995),
    st.one_of(st.just(math.inf), st.floats(5, 3000)),
    st.sampled_from(["abandons_bad", "abandons_good", "answered_only", "early_ignored"]),
)
def test_required_is_enough_and_one_fewer_is_not(
    calls: float, handle: float, target: float, level: float, patience: float, definition: str
) -> None:
    options = {"target_seconds": target, "patience_seconds": patience}
    needed = int(
        staffing.required_agents(calls, handle, service_level=level, definition=definition, **options)  # type: ignore[arg-type]
    )
    assert float(staffing.performance(calls, handle, needed, **options).service_level(definition)) >= level  # type: ignore[arg-type]
    if needed:
        fewer = float(staffing.performance(calls, handle, needed - 1, **options).service_level(definition))  # type: ignore[arg-type]
        assert not fewer >= level


def test_impatience_needs_fewer_agents() -> None:
    needed = staffing.required_agents(
        [100, 100, 0], 180, target_seconds=20, service_level=0.8, patience_seconds=[math.inf, 120, 120]
    )
    assert needed.tolist() == [14, 12, 0]


# --- half hours: frame in, frame out --------------------------------------------------------------------------------------

NINE = datetime(2024, 3, 4, 9)


def half_hours(*rows: dict[str, object]) -> pl.DataFrame:
    base = {"org_unit_id": "north", "queue": "billing", "calls": 100, "handle_seconds": 180.0, "rostered_agents": 14}
    return pl.DataFrame(
        [{**base, "interval_started_at": NINE + timedelta(minutes=30 * i), **row} for i, row in enumerate(rows)],
        infer_schema_length=None,
    )


def staffed(frame: pl.DataFrame) -> pl.DataFrame:
    return staffing.staff_half_hours(frame, service_level=0.8, target_seconds=20, shrinkage=0.3)


def test_a_frame_of_half_hours() -> None:
    found = staffed(half_hours({}, {"rostered_agents": 13}, {"patience_seconds": 120.0, "rostered_agents": 13}))
    assert found["required_agents"].to_list() == [14, 14, 12]
    assert found["required_heads"].to_list() == [20, 20, 18]
    assert found["gap_agents"].to_list() == [0, -1, 1]
    assert found["model"].to_list() == ["erlang_c", "erlang_c", "erlang_a"]
    assert found["load_erlangs"].to_list() == [10, 10, 10]
    assert found["state"].to_list() == ["steady"] * 3
    assert found["expected_service_level"][0] == pytest.approx(0.88835, abs=1e-5)
    assert found["expected_speed_of_answer_seconds"][0] == pytest.approx(7.836, abs=1e-3)
    assert found["expected_abandonment"][0] == 0 < found["expected_abandonment"][2]
    assert found["expected_occupancy"][0] == pytest.approx(10 / 14)


RESULTS = [
    "required_agents", "required_heads", "gap_agents", "expected_service_level", "expected_probability_of_waiting",
    "expected_speed_of_answer_seconds", "expected_abandonment", "expected_occupancy",
]  # fmt: skip


def test_what_cannot_be_said_is_null() -> None:
    found = staffed(
        half_hours(
            {"calls": 0, "handle_seconds": None},
            {"calls": 0, "handle_seconds": 0.0},
            {"handle_seconds": None},
            {"rostered_agents": None},
            {"rostered_agents": 0},
            {"rostered_agents": 0, "patience_seconds": 60.0},
            {"rostered_agents": 10},
            {"rostered_agents": 9, "patience_seconds": 60.0},
        )
    )
    states = [
        "no_contacts",
        "no_contacts",
        "no_handle_time",
        "no_roster",
        "no_agents",
        "no_agents",
        "overloaded",
        "steady",
    ]
    assert found["state"].to_list() == states
    for row in (0, 1, 2):
        assert [found[name][row] for name in RESULTS] == [None] * 8
    assert found["load_erlangs"].to_list() == [0, 0, None, 10, 10, 10, 10, 10]
    assert [found[name][3] for name in RESULTS] == [14, 20, *[None] * 6]
    assert [found[name][4] for name in RESULTS] == [14, 20, -14, 0, 1, None, 0, None]
    assert [found[name][5] for name in RESULTS[3:]] == [0, 1, None, 1, None]
    # A load of 10 on 10 agents that callers wait out: the queue never stops growing.
    assert [found[name][6] for name in RESULTS] == [14, 20, -4, 0, 1, None, 0, 1]
    assert found["expected_speed_of_answer_seconds"][7] > 0, "impatience makes the same overload stable"


def test_the_array_function_says_infinite_where_the_frame_says_null() -> None:
    found = hundred_calls([9, 10, 11])
    assert found.has_steady_state.tolist() == [False, False, True]
    assert found.service_level().tolist()[:2] == [0, 0]
    assert np.isinf(found.average_speed_of_answer_seconds).tolist() == [True, True, False]
    assert found.occupancy.tolist()[:2] == [1, 1]


def test_an_empty_frame_keeps_its_columns() -> None:
    full = staffed(half_hours({}))
    empty = staffed(half_hours({}).clear())
    assert empty.height == 0
    assert empty.schema == full.schema


def test_rows_do_not_touch_each_other() -> None:
    random = np.random.default_rng(5)
    frame = half_hours(
        *(
            {
                "calls": int(random.integers(0, 400)),
                "rostered_agents": int(random.integers(0, 60)),
                "patience_seconds": [None, 45.0, 200.0][i % 3],
            }
            for i in range(60)
        )
    )
    whole = staffed(frame)
    assert whole["interval_started_at"].to_list() == frame["interval_started_at"].to_list()
    assert staffed(frame.reverse()).reverse().equals(whole)
    assert pl.concat(staffed(frame[i]) for i in range(60)).equals(whole)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"calls": -1}, "calls: -1 is below 0"),
        ({"calls": math.nan}, "calls: nan is not a finite number"),
        ({"calls": None}, "calls: null in row 1"),
        ({"calls": 1e9}, "calls: 1e\\+09 of 180 s are 1e\\+08 Erlangs"),
        ({"handle_seconds": 0.0}, "handle_seconds: 0 is not above 0"),
        ({"handle_seconds": -5.0, "calls": 0}, "handle_seconds: -5 is below 0"),
        ({"handle_seconds": math.inf}, "handle_seconds: inf is not a finite number"),
        ({"rostered_agents": 2.5}, "rostered_agents: 2.5 is not a whole number"),
        ({"rostered_agents": -3}, "rostered_agents: -3 is below 0"),
        ({"patience_seconds": 0.0}, "patience_seconds: 0 is not above 0"),
        ({"patience_seconds": math.nan}, "patience_seconds: nan is not above 0"),
        ({"interval_started_at": NINE}, "interval_started_at: .* more than one row"),
    ],
)
def test_wrong_rows_are_refused_by_name_and_value(row: dict[str, object], message: str) -> None:
    frame = pl.concat(
        [half_hours({"calls": 100.0, "rostered_agents": 14.0}), half_hours({}, row)[1:]], how="diagonal_relaxed"
    )
    with pytest.raises(ValueError, match=message):
        staffed(frame)


@pytest.mark.parametrize(
    "name", ["org_unit_id", "queue", "interval_started_at", "calls", "handle_seconds", "rostered_agents"]
)
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: the frame has no such column"):
        staffed(half_hours({}).drop(name))


def test_text_is_no_number() -> None:
    with pytest.raises(ValueError, match="calls: String is not a number"):
        staffed(half_hours({"calls": "many"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"service_level": 80}, "service_level: 80 is not between 0 and 1"),
        ({"service_level": 1.0}, "service_level: 1 is not"),
        ({"service_level": math.nan}, "service_level: nan is not"),
        ({"shrinkage": 1.0}, "shrinkage: 1 is not"),
        ({"shrinkage": -0.1}, "shrinkage: -0.1 is not"),
        ({"target_seconds": -1.0}, "target_seconds: -1 is below 0"),
        ({"target_seconds": math.nan}, "target_seconds: nan is not a finite number"),
        ({"interval_seconds": 0.0}, "interval_seconds: 0 is not above 0"),
    ],
)
def test_wrong_parameters_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        staffing.staff_half_hours(half_hours({}), **{"service_level": 0.8, "target_seconds": 20.0, **change})  # type: ignore[arg-type]


def test_fractional_agents_are_refused_everywhere() -> None:
    for call in (
        lambda: staffing.erlang_b(10, 2.5),
        lambda: staffing.erlang_c(10, 2.5),
        lambda: staffing.heads(2.5, 0.3),
        lambda: hundred_calls(2.5),
    ):
        with pytest.raises(ValueError, match=r"agents: 2\.5 is not a whole number of agents"):
            call()


def test_patience_counts_the_waits_of_the_answered() -> None:
    random = np.random.default_rng(8)
    willing, offered = random.exponential(120, 200_000), random.exponential(40, 200_000)
    gone = willing < offered
    found = float(staffing.mean_patience(np.minimum(willing, offered).sum(), gone.sum()))
    assert found == pytest.approx(120, rel=0.02)
    assert willing[gone].mean() < 40, "the mean wait of those who gave up says nothing of patience"
    assert math.isinf(staffing.mean_patience(500, 0))


def queue_days(**columns: object) -> pl.DataFrame:
    """Two days of one half hour: 100 calls of 180 s with 14 agents, and nothing at all."""
    data: dict[str, object] = {
        "half_hour_at": [datetime(2026, 3, 2, 1), datetime(2026, 3, 3, 1)],
        "half_hour_on": [datetime(2026, 3, 2).date(), datetime(2026, 3, 3).date()],
        "half_hour": ["09:00", "09:00"],
        "calls": [100, 0],
        "answered": [100, 0],
        "answered_in_target": [88, 0],
        "abandoned": [0, 0],
        "abandoned_in_target": [0, 0],
        "waited_seconds": [780, 0],
        "handled": [100, 0],
        "handling_seconds": [18_000, 0],
        "rostered_seconds": pl.Series([14 * 1800 + 1799, 3 * 1800]),
    }
    return pl.DataFrame(data | columns)


def test_a_queue_by_its_half_hours() -> None:
    found = staffing.staff_queue(queue_days(), "hotline", service_level=0.8, target_seconds=20, shrinkage=0.3)
    first, second = found.to_dicts()
    assert (first["rostered_agents"], first["required_agents"], first["required_heads"], first["gap_agents"]) == (
        14,
        14,
        20,
        0,
    )
    assert first["measured_service_level"] == 0.88
    assert first["expected_service_level"] == pytest.approx(0.88835, abs=5e-6)
    assert (second["state"], second["required_agents"], second["measured_service_level"]) == ("no_contacts", None, None)
    (day,) = staffing.typical_day(found).to_dicts()
    assert day == {
        "half_hour": "09:00", "days": 2, "calls": 50.0, "rostered_agents": 8.5, "required_agents": 7.0, "short_share": 0.0,
        "measured_service_level": 0.88,
    }  # fmt: skip


def test_a_queue_that_loses_callers_is_planned_with_their_patience() -> None:
    """Waits of all callers over those who gave up: 2,400 s / 20 = 120 s; then 12 agents are enough."""
    lost = queue_days(
        answered=[80, 0], abandoned=[20, 0], waited_seconds=[2400, 0], handled=[80, 0], handling_seconds=[80 * 180, 0]
    )
    (row, _) = staffing.staff_queue(lost, "hotline", service_level=0.8, target_seconds=20).to_dicts()
    assert row["required_agents"] == 12
    assert row["measured_service_level"] == 0.88


@pytest.mark.parametrize(
    ("definition", "good", "base"),
    [("abandons_bad", 60, 100), ("abandons_good", 65, 100), ("answered_only", 60, 80), ("early_ignored", 60, 95)],
)
def test_measured_and_expected_are_of_one_definition(
    definition: staffing.ServiceLevelDefinition, good: int, base: int
) -> None:
    """80 answered, 60 of them in time; 20 given up, 5 of them in time."""
    lost = queue_days(
        answered=[80, 0],
        answered_in_target=[60, 0],
        abandoned=[20, 0],
        abandoned_in_target=[5, 0],
        waited_seconds=[2400, 0],
    )
    found = staffing.staff_queue(lost, "q", service_level=0.8, target_seconds=20, definition=definition)
    (row, _) = found.to_dicts()
    assert (row["good_calls"], row["judged_calls"], row["measured_service_level"]) == (good, base, good / base)
    expected = staffing.performance(100, 180 * 100 / 100, 14, target_seconds=20, patience_seconds=120)
    assert row["expected_service_level"] == pytest.approx(float(expected.service_level(definition)))
    (day,) = staffing.typical_day(found).to_dicts()
    assert day["measured_service_level"] == good / base


def test_the_model_is_the_one_that_is_asked_for() -> None:
    """100 calls of 180 s: 14 agents if callers wait for ever; with their patience of 120 s, 12; and 80 % find a free line of 11."""
    lost = queue_days(
        answered=[80, 0], abandoned=[20, 0], waited_seconds=[2400, 0], handled=[80, 0], handling_seconds=[80 * 180, 0]
    )
    needed = {
        model: staffing.staff_queue(lost, "q", service_level=0.8, target_seconds=20, model=model)["required_agents"][0]
        for model in ("erlang_a", "erlang_b", "erlang_c")
    }
    lines = next(n for n in range(1, 99) if 1 - float(staffing.erlang_b(10, n)) >= 0.8)
    assert needed == {"erlang_a": 12, "erlang_b": lines, "erlang_c": 14}
    with pytest.raises(ValueError, match="model: 'erlang' is none of"):
        staffing.staff_queue(lost, "q", service_level=0.8, target_seconds=20, model="erlang")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="definition: 'good' is none of"):
        staffing.staff_queue(lost, "q", service_level=0.8, target_seconds=20, definition="good")  # type: ignore[arg-type]


def test_a_queue_without_a_roster_or_without_answers() -> None:
    unknown = queue_days(rostered_seconds=pl.Series([None, None], dtype=pl.Int64))
    assert staffing.staff_queue(unknown, "q", service_level=0.8, target_seconds=20)["state"].to_list()[0] == "no_roster"
    unanswered = queue_days(answered=[0, 0], handled=[0, 0], handling_seconds=[0, 0], answered_in_target=[0, 0])
    assert staffing.staff_queue(unanswered, "q", service_level=0.8, target_seconds=20)["state"][0] == "no_handle_time"


def test_calls_without_an_end_do_not_shorten_the_mean_handle_time() -> None:
    unknown = queue_days(handled=[50, 0], handling_seconds=[50 * 180, 0])
    known = staffing.staff_queue(queue_days(), "q", service_level=0.8, target_seconds=20)
    assert staffing.staff_queue(unknown, "q", service_level=0.8, target_seconds=20)["required_agents"].equals(
        known["required_agents"]
    )
