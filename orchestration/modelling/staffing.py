"""Agents that a half hour needs: Erlang B (no waiting), Erlang C (callers wait for ever), Erlang A (callers give up).

Belongs here: the three formulas, the smallest number of agents that reaches a service level, and both for a frame of half
hours. Does not belong here: forecasts of calls, rosters, or measured service levels (marts).

Terms: the load in Erlangs is calls x handle time / interval; an agent is one person on the phone; a head is a person on
the payroll. All results are those of the steady state: a half hour is treated as if it had always been going on.

Sources: R. B. Cooper, *Introduction to Queueing Theory*, 2nd ed. 1981 (recursion of Erlang B, its relation to Erlang C);
C. Palm, "Research on telephone traffic carried by full availability groups", *Tele* 1957 (Erlang A);
S. Zeltyn and A. Mandelbaum, "Call centers with impatient customers: many-server asymptotics of the M/M/n+G queue",
*Queueing Systems* 51, 2005 (offered wait, abandonment and service level as integrals).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ServiceLevelDefinition = Literal["abandons_bad", "abandons_good", "answered_only", "early_ignored"]
"""A_T / (A + B), (A_T + B_T) / (A + B), A_T / A and A_T / (A + B - B_T): the metrics of the family `service_level`."""

Model = Literal["erlang_a", "erlang_b", "erlang_c"]
"""What callers do who find no free agent: wait for some time (A), go away at once (B), wait for ever (C)."""

HALF_HOUR_SECONDS = 1800.0
MOST_ERLANGS = 100_000.0
"""Load beyond which an input is taken for a mistake of unit: the recursion takes one step per agent."""

_KEYS = ("org_unit_id", "queue", "interval_started_at")
_TAIL = 45.0
"""The integrals stop where the integrand has fallen by e^-45 (3e-20) below its peak."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_ROWS_AT_A_TIME = 8192
_FOR_EVER, _AT_ONCE = 1e12, 1e-6
"""Patience in seconds beyond which callers never give up, or do so at once, to the last digit; keeps exponents in range."""


@dataclass(frozen=True)
class Performance:
    """What callers and agents meet with a given number of agents; every field has the shape of the inputs.

    Shares are of all calls. NaN = no base: no calls; no agents (occupancy); nobody answered (speed of answer).
    """

    probability_of_waiting: Floats
    """Of a caller that finds no free agent."""
    answered_within_target: Floats
    """A_T / (A + B)."""
    abandoned_within_target: Floats
    """B_T / (A + B)."""
    abandonment_probability: Floats
    """B / (A + B)."""
    average_speed_of_answer_seconds: Floats
    """Mean wait of the answered calls; infinite without a steady state."""
    occupancy: Floats
    """Share of the agents' time that is handling; 1 without a steady state."""
    has_steady_state: NDArray[np.bool_]
    """False where callers never give up and the load is not below the number of agents: the queue grows for ever."""

    def service_level(self, definition: ServiceLevelDefinition = "abandons_bad") -> Floats:
        """Share of calls in time. With callers that never give up, the definitions agree.

        Raises ValueError on an unknown definition.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            if definition == "abandons_bad":
                return self.answered_within_target
            if definition == "abandons_good":
                return self.answered_within_target + self.abandoned_within_target
            if definition == "answered_only":
                return self.answered_within_target / _none_as_nan(1 - self.abandonment_probability)
            if definition == "early_ignored":
                return self.answered_within_target / _none_as_nan(1 - self.abandoned_within_target)
        raise ValueError(f"definition: {definition!r} is none of {', '.join(get_args(ServiceLevelDefinition))}")


def _none_as_nan(base: Floats) -> Floats:
    return np.where(base > 0, base, np.nan)


def _numbers(name: str, values: ArrayLike, *, above: float | None = None, least: float | None = None) -> Floats:
    """The values as float64. ValueError naming `name` and the first value that is NaN, infinite or out of range."""
    numbers = np.asarray(values, dtype=np.float64)
    wrong = ~np.isfinite(numbers)
    rule = "is not a finite number"
    if above is not None and not wrong.any():
        wrong, rule = numbers <= above, f"is not above {above:g}"
    if least is not None and not wrong.any():
        wrong, rule = numbers < least, f"is below {least:g}"
    if wrong.any():
        raise ValueError(f"{name}: {numbers[wrong].flat[0]:g} {rule}")
    return numbers


def _agents(name: str, values: ArrayLike) -> Floats:
    numbers = _numbers(name, values, least=0)
    fractional = numbers != np.floor(numbers)
    if fractional.any():
        raise ValueError(f"{name}: {numbers[fractional].flat[0]:g} is not a whole number of agents")
    return numbers


def _patience(values: ArrayLike) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    wrong = ~(numbers > 0)
    if wrong.any():
        raise ValueError(f"patience_seconds: {numbers[wrong].flat[0]:g} is not above 0")
    return np.where(numbers > _FOR_EVER, np.inf, np.maximum(numbers, _AT_ONCE))


def _share(name: str, value: float, *, with_zero: bool = False) -> float:
    if not (0 < value < 1 or (with_zero and value == 0)):
        raise ValueError(f"{name}: {value:g} is not between 0 and 1")
    return value


def _loads(calls: Floats, handle_seconds: Floats, interval_seconds: float) -> Floats:
    load = calls * handle_seconds / interval_seconds
    if (load > MOST_ERLANGS).any():
        at = np.unravel_index(np.argmax(load), load.shape)
        raise ValueError(
            f"calls: {np.broadcast_to(calls, load.shape)[at]:g} of {np.broadcast_to(handle_seconds, load.shape)[at]:g} s"
            f" are {load[at]:g} Erlangs, more than {MOST_ERLANGS:g}"
        )
    return load


def _blocking(load: Floats, agents: Floats) -> Floats:
    """Erlang B of one-dimensional, checked inputs."""
    order = np.argsort(-agents, kind="stable")
    a, n = load[order], agents[order]
    b = np.ones_like(a)
    most = int(n[0]) if len(n) else 0
    still = np.searchsorted(-n, -np.arange(1, most + 1), side="right")
    for k in range(1, most + 1):
        carried = a[: still[k - 1]] * b[: still[k - 1]]
        b[: still[k - 1]] = carried / (k + carried)
    result = np.empty_like(b)
    result[order] = b
    return result


def erlang_b(load_erlangs: ArrayLike, agents: ArrayLike) -> Floats:
    """Share of calls that find all of `agents` lines busy, when nobody can wait.

    B(0) = 1, B(n) = a B(n-1) / (n + a B(n-1)): only sums and ratios of positive terms, so errors do not grow and nothing
    overflows. The inputs are broadcast; the result has their shape. ValueError naming the argument and the value: a
    negative or non-finite load, one above MOST_ERLANGS, negative or fractional agents.
    """
    load = _numbers("load_erlangs", load_erlangs, least=0)
    _loads(load, np.ones(()), 1.0)
    n = _agents("agents", agents)
    load, n = np.broadcast_arrays(load, n)
    return _blocking(load.ravel(), n.ravel()).reshape(load.shape)


def _waiting(load: Floats, agents: Floats) -> Floats:
    """Erlang C of one-dimensional, checked inputs."""
    b = _blocking(load, agents)
    spare = agents - load
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spare > 0, agents * b / (spare + load * b), 1.0)


def erlang_c(load_erlangs: ArrayLike, agents: ArrayLike) -> Floats:
    """Probability that a caller has to wait, when callers wait for ever: C = N B / (N - a (1 - B)).

    1 where the load is not below the number of agents (no steady state). Shapes and errors as in `erlang_b`.
    """
    load = _numbers("load_erlangs", load_erlangs, least=0)
    _loads(load, np.ones(()), 1.0)
    n = _agents("agents", agents)
    load, n = np.broadcast_arrays(load, n)
    return _waiting(load.ravel(), n.ravel()).reshape(load.shape)


def required_lines(load_erlangs: ArrayLike, blocking: float) -> Integers:
    """The smallest number of lines at which Erlang B is at most `blocking` (0 < blocking < 1); the shape of the loads.

    ValueError on a negative or non-finite load, or a share out of range.
    """
    _share("blocking", blocking)
    load = _numbers("load_erlangs", load_erlangs, least=0)
    _loads(load, np.ones(()), 1.0)
    a = load.ravel()
    b, lines = np.ones_like(a), np.zeros(a.shape, dtype=np.int64)
    open_rows = np.flatnonzero(a > 0)
    while len(open_rows):
        lines[open_rows] += 1
        carried = a[open_rows] * b[open_rows]
        b[open_rows] = carried / (lines[open_rows] + carried)
        open_rows = open_rows[b[open_rows] > blocking]
    return lines.reshape(load.shape)


def _patient(load: Floats, agents: Floats, target: Floats) -> Floats:
    """Erlang C for rows with calls; the unit of time is the mean handle time, so that nothing divides the load.

    Five lines: probability of waiting, answered in time, abandoned in time, abandoned, speed of answer.
    """
    waiting = _waiting(load, agents)
    steady = agents > load
    spare = np.where(steady, agents - load, 1.0)
    nobody = np.zeros_like(load)
    in_time = np.where(steady, 1 - waiting * np.exp(-spare * target), 0.0)
    return np.stack([waiting, in_time, nobody, nobody, np.where(steady, waiting / spare, np.inf)])


def _impatient(load: Floats, leaving: Floats, agents: Floats, target: Floats) -> Floats:
    """Erlang A for rows with calls and agents; unit of time and lines as in `_patient`, `leaving` is 1 / patience.

    The wait offered to a caller of endless patience has, beyond its mass at 0, a density proportional to
    f(x) = exp(load (1 - e^(-leaving x)) / leaving - agents x). f has one peak and no other feature, so Gauss-Legendre
    between the peak and both ends is exact to rounding. Everything is a sum of positive terms, scaled by the peak: where
    the load is hundreds of Erlangs too high, f itself would overflow.
    """
    blocking = _blocking(load, agents)
    over = np.maximum(load - agents, 0) / agents
    peak_at = np.log1p(over) / leaving
    log_peak = agents / leaving * (over - np.log1p(over))

    # Ends of the integrals, from bounds of log f that can be solved: 1 - e^-z <= z / (1 + z/2) above the peak,
    # e^z - 1 - z >= z^2 / 2 below it.
    inflow = np.minimum(load, agents)
    slope = agents - inflow - _TAIL * leaving / 2
    root = np.sqrt(slope * slope + 2 * agents * leaving * _TAIL)
    high = np.where(slope > 0, 2 * _TAIL / (np.abs(slope) + root), (root - slope) / (agents * leaving))
    low = -np.minimum(peak_at, np.sqrt(2 * _TAIL / (agents * leaving)))

    # From the peak, because far from 0 the position itself has lost the digits that its distance to the peak still has.
    cut = np.clip(target - peak_at, low, high)
    all_gone = np.clip(_TAIL / leaving - peak_at, low, high)
    edges = np.sort(np.stack([low, np.zeros_like(low), cut, all_gone, high]), axis=0)

    offered, left, stayed, stayed_wait = (np.zeros_like(load) for _ in range(4))
    offered_in_time, left_in_time, stayed_in_time = (np.zeros_like(load) for _ in range(3))
    for start, end in itertools.pairwise(edges):
        half = (end - start) / 2
        s = (start + half)[:, None] + half[:, None] * _NODES
        x = np.maximum(s + peak_at[:, None], 0)
        log_f = (inflow / leaving)[:, None] * -np.expm1(-leaving[:, None] * s) - agents[:, None] * s
        f = np.exp(log_f) * (_WEIGHTS * half[:, None])
        stays = f * np.exp(-leaving[:, None] * x)
        all_here, left_here = f.sum(axis=1), (f * -np.expm1(-leaving[:, None] * x)).sum(axis=1)
        stayed_here = stays.sum(axis=1)
        in_time = end <= cut
        offered += all_here
        left += left_here
        stayed += stayed_here
        stayed_wait += (stays * x).sum(axis=1)
        offered_in_time += np.where(in_time, all_here, 0)
        left_in_time += np.where(in_time, left_here, 0)
        stayed_in_time += np.where(in_time, stayed_here, 0)

    at_once = (1 - blocking) * load / agents * np.exp(-log_peak)
    scale = blocking * load
    total = at_once + scale * offered
    late = np.maximum(offered - offered_in_time, 0)
    return np.stack(
        [
            scale * offered / total,
            (at_once + scale * stayed_in_time) / total,
            scale * (left_in_time + late * -np.expm1(-leaving * target)) / total,
            scale * left / total,
            scale * stayed_wait / (at_once + scale * stayed),
        ]
    )


def _shares(load: Floats, leaving: Floats, agents: Floats, target: Floats) -> Floats:
    """Erlang A where callers leave, Erlang C elsewhere; all rows have calls; unit of time and lines as in `_patient`."""
    result = _patient(load, agents, target)
    impatient = leaving > 0
    alone = impatient & (agents == 0)
    gone_by_target = -np.expm1(-leaving[alone] * target[alone])
    result[2:, alone] = [gone_by_target, np.ones_like(gone_by_target), np.full_like(gone_by_target, np.nan)]
    rows = np.flatnonzero(impatient & (agents > 0))
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        some = rows[start : start + _ROWS_AT_A_TIME]
        result[:, some] = _impatient(load[some], leaving[some], agents[some], target[some])
    return result


def _prepared(
    calls: ArrayLike, handle_seconds: ArrayLike, patience_seconds: ArrayLike, target_seconds: float, interval: float
) -> tuple[Floats, Floats, Floats]:
    """Calls, handle time and patience, checked."""
    offered = _numbers("calls", calls, least=0)
    handle = _numbers("handle_seconds", handle_seconds, above=0)
    patience = _patience(patience_seconds)
    _numbers("target_seconds", target_seconds, least=0)
    _numbers("interval_seconds", interval, above=0)
    _loads(offered, handle, interval)
    return offered, handle, patience


def performance(
    calls: ArrayLike,
    handle_seconds: ArrayLike,
    agents: ArrayLike,
    *,
    target_seconds: float,
    interval_seconds: float = HALF_HOUR_SECONDS,
    patience_seconds: ArrayLike = math.inf,
) -> Performance:
    """Service that `agents` give to `calls` per interval of mean handle time `handle_seconds`.

    `patience_seconds` is the mean of the (exponential) time after which a waiting caller gives up: finite = Erlang A,
    infinite = Erlang C. The four arrays are broadcast. Without calls every share and mean is NaN. Without a steady state
    everybody waits, nobody is answered in time, the speed of answer is infinite and the occupancy 1; a real half hour that
    begins with an empty queue is kinder.

    ValueError naming the argument and the value: NaN or infinite input (patience may be infinite), negative calls or
    target, handle time or patience not above 0, fractional or negative agents, a load above MOST_ERLANGS.
    """
    offered, handle, patience = _prepared(calls, handle_seconds, patience_seconds, target_seconds, interval_seconds)
    n = _agents("agents", agents)
    shape = np.broadcast_shapes(offered.shape, handle.shape, patience.shape, n.shape)
    offered, handle, patience, n = (np.broadcast_to(part, shape).ravel() for part in (offered, handle, patience, n))
    steady = np.ones(len(n), dtype=np.bool_)
    rows = np.flatnonzero(offered > 0)
    load, unit = offered[rows] * handle[rows] / interval_seconds, handle[rows]
    waiting, in_time, early, gone, speed = _shares(load, unit / patience[rows], n[rows], target_seconds / unit)
    steady[rows] = np.isfinite(patience[rows]) | (load < n[rows])
    with np.errstate(invalid="ignore", divide="ignore"):
        busy = np.minimum(load * (1 - gone) / n[rows], 1.0)
    occupancy = np.where(n[rows] > 0, busy, np.nan)

    def spread(values: Floats) -> Floats:
        everywhere = np.full(len(offered), np.nan)
        everywhere[rows] = values
        return everywhere.reshape(shape)

    return Performance(
        probability_of_waiting=spread(waiting),
        answered_within_target=spread(in_time),
        abandoned_within_target=spread(early),
        abandonment_probability=spread(gone),
        average_speed_of_answer_seconds=spread(speed * unit),
        occupancy=spread(occupancy),
        has_steady_state=steady.reshape(shape),
    )


def _smallest(reaches: Callable[[Integers, Integers], NDArray[np.bool_]], guess: Integers) -> Integers:
    """Per row the smallest number of agents for which `reaches(rows, agents)` holds; it must stay true once it is."""
    below = np.full(guess.shape, -1, dtype=np.int64)
    enough = guess.copy()
    rows = np.flatnonzero(~reaches(np.arange(len(guess)), enough))
    while len(rows):
        below[rows] = enough[rows]
        enough[rows] = 2 * enough[rows] + 1
        rows = rows[~reaches(rows, enough[rows])]
    rows = np.flatnonzero(enough - below > 1)
    while len(rows):
        middle = (enough[rows] + below[rows]) // 2
        good = reaches(rows, middle)
        enough[rows[good]] = middle[good]
        below[rows[~good]] = middle[~good]
        rows = rows[enough[rows] - below[rows] > 1]
    return enough


def required_agents(
    calls: ArrayLike,
    handle_seconds: ArrayLike,
    *,
    target_seconds: float,
    service_level: float,
    interval_seconds: float = HALF_HOUR_SECONDS,
    patience_seconds: ArrayLike = math.inf,
    definition: ServiceLevelDefinition = "abandons_bad",
) -> Integers:
    """The smallest number of agents whose service level is at least `service_level`; 79.56 % does not reach 80 %.

    Shapes, model and errors as in `performance`, and ValueError unless 0 < `service_level` < 1; 0 where there are no calls.

    >>> int(required_agents(100, 180, target_seconds=20, service_level=0.8))
    14
    """
    _share("service_level", service_level)
    offered, handle, patience = _prepared(calls, handle_seconds, patience_seconds, target_seconds, interval_seconds)
    shape = np.broadcast_shapes(offered.shape, handle.shape, patience.shape)
    offered, handle, patience = (np.broadcast_to(part, shape).ravel() for part in (offered, handle, patience))
    busy = np.flatnonzero(offered > 0)
    offered, handle, patience = offered[busy], handle[busy], patience[busy]

    def reaches(rows: Integers, agents: Integers) -> NDArray[np.bool_]:
        found = performance(
            offered[rows],
            handle[rows],
            agents,
            target_seconds=target_seconds,
            interval_seconds=interval_seconds,
            patience_seconds=patience[rows],
        )
        return found.service_level(definition) >= service_level

    load = offered * handle / interval_seconds
    result = np.zeros(math.prod(shape), dtype=np.int64)
    result[busy] = _smallest(reaches, np.ceil(load + np.sqrt(load)).astype(np.int64))
    return result.reshape(shape)


def heads(agents: ArrayLike, shrinkage: float) -> Integers:
    """People on the payroll for `agents` on the phone, when a share `shrinkage` of paid time is spent elsewhere.

    agents / (1 - shrinkage), rounded up; exact for shrinkages of up to six decimals, where floating point would add a head
    for nothing. ValueError on fractional or negative agents and unless 0 <= `shrinkage` < 1.

    >>> int(heads(14, 0.3))
    20
    """
    _share("shrinkage", shrinkage, with_zero=True)
    present = 1 - Fraction(shrinkage).limit_denominator(1_000_000)
    if present == 0:
        raise ValueError(f"shrinkage: {shrinkage!r} leaves nobody at work")
    n = _agents("agents", agents).astype(np.int64)
    return -(-n * present.denominator // present.numerator)


def mean_patience(wait_seconds_sum: ArrayLike, abandoned: ArrayLike) -> Floats:
    """Mean patience in seconds: the waits of *all* calls, answered or not, over the number abandoned; infinite when none is.

    The maximum-likelihood estimate for exponential patience, where an answer hides how long the caller would have stayed;
    the mean wait of those who gave up is far too short. Shapes are broadcast. ValueError on negative or non-finite input.
    """
    waits, gone = _numbers("wait_seconds_sum", wait_seconds_sum, least=0), _numbers("abandoned", abandoned, least=0)
    waits, gone = np.broadcast_arrays(waits, gone)
    return np.where(gone > 0, waits / np.where(gone > 0, gone, 1), np.inf)


def _column(frame: pl.DataFrame, name: str, *, nulls: bool, missing: bool = False) -> pl.Series:
    """The column as float64; ValueError when it is absent, not numeric, or has nulls where a value must be."""
    if name not in frame.columns:
        if missing:
            return pl.Series(name, [None] * frame.height, dtype=pl.Float64)
        raise ValueError(f"{name}: the frame has no such column")
    column = frame[name]
    if not column.dtype.is_numeric() and column.dtype != pl.Null:
        raise ValueError(f"{name}: {column.dtype} is not a number")
    if not nulls and column.null_count():
        raise ValueError(f"{name}: null in row {column.is_null().arg_max()}")
    return column.cast(pl.Float64)


def _shown(name: str, values: NDArray[np.generic], shown: NDArray[np.bool_]) -> pl.Series:
    """The values where they are shown and finite, null elsewhere."""
    there = pl.Series(shown & np.isfinite(values.astype(np.float64)))
    return pl.select(pl.when(there).then(pl.Series(name, values)).alias(name)).to_series()


def staff_half_hours(
    half_hours: pl.DataFrame,
    *,
    service_level: float,
    target_seconds: float,
    shrinkage: float = 0.0,
    interval_seconds: float = HALF_HOUR_SECONDS,
    definition: ServiceLevelDefinition = "abandons_bad",
) -> pl.DataFrame:
    """Required and rostered agents, and the service to expect, of each half hour.

    In: one row per `org_unit_id`, `queue`, `interval_started_at`, with `calls` (offered, forecast or counted),
    `handle_seconds` (mean; null = unknown), `rostered_agents` (on the phone; null = no roster) and, optionally,
    `patience_seconds` (mean; null or infinite = callers never give up: Erlang C, otherwise Erlang A). `target_seconds`,
    `service_level`, `definition` and `interval_seconds` hold for all rows; `shrinkage` as in `heads`.

    Out: the same rows in the same order with those columns and

    - `model` (`erlang_a`, `erlang_c`) and `load_erlangs`;
    - `required_agents`, `required_heads`, `gap_agents` (rostered - required; below 0 = too few);
    - as expected with the rostered agents: `expected_service_level`, `expected_probability_of_waiting`,
      `expected_speed_of_answer_seconds`, `expected_abandonment`, `expected_occupancy`;
    - `state`, the first that is true of
      `no_contacts` (nothing to compute: all results are null),
      `no_handle_time` (calls of unknown length: likewise),
      `no_roster` (required agents and heads only),
      `no_agents` (rostered 0: nobody is answered; speed and occupancy have no base and are null),
      `overloaded` (Erlang C, load not below the agents: the queue grows without end; level 0, everybody waits,
      occupancy 1, speed null because it has no finite value),
      `steady`.

    ValueError naming the column and the value: a missing column, a key twice, null, negative or NaN calls, handle time of
    calls or patience not above 0, fractional or negative agents, parameters out of range.
    """
    _share("service_level", service_level)
    _share("shrinkage", shrinkage, with_zero=True)
    for key in _KEYS:
        if key not in half_hours.columns:
            raise ValueError(f"{key}: the frame has no such column")
    twice = half_hours.filter(half_hours.select(_KEYS).is_duplicated())
    if twice.height:
        raise ValueError(f"{', '.join(_KEYS)}: {twice.select(_KEYS).row(0)} stands in more than one row")

    calls = _numbers("calls", _column(half_hours, "calls", nulls=False).to_numpy(), least=0)
    handle_column = _column(half_hours, "handle_seconds", nulls=True)
    _numbers("handle_seconds", handle_column.drop_nulls().to_numpy(), least=0)
    _numbers("handle_seconds", handle_column.filter(pl.Series(calls > 0)).drop_nulls().to_numpy(), above=0)
    roster_column = _column(half_hours, "rostered_agents", nulls=True)
    _agents("rostered_agents", roster_column.drop_nulls().to_numpy())
    patience_column = _column(half_hours, "patience_seconds", nulls=True, missing=True)
    patience = _patience(patience_column.fill_null(math.inf).to_numpy())

    known = handle_column.is_not_null().to_numpy()
    rostered = roster_column.is_not_null().to_numpy()
    modelled = known & (calls > 0)
    handle = np.where(modelled, handle_column.fill_null(1.0).to_numpy(), 1.0)
    agents = roster_column.fill_null(0).to_numpy()

    required = np.zeros(len(calls), dtype=np.int64)
    required[modelled] = required_agents(
        calls[modelled],
        handle[modelled],
        target_seconds=target_seconds,
        service_level=service_level,
        interval_seconds=interval_seconds,
        patience_seconds=patience[modelled],
        definition=definition,
    )
    found = performance(
        np.where(modelled, calls, 0),
        handle,
        agents,
        target_seconds=target_seconds,
        interval_seconds=interval_seconds,
        patience_seconds=patience,
    )
    expected = {
        "expected_service_level": found.service_level(definition),
        "expected_probability_of_waiting": found.probability_of_waiting,
        "expected_speed_of_answer_seconds": found.average_speed_of_answer_seconds,
        "expected_abandonment": found.abandonment_probability,
        "expected_occupancy": found.occupancy,
    }
    load = np.where(calls > 0, np.where(known, calls * handle / interval_seconds, np.nan), 0.0)
    state = np.select(
        [calls == 0, ~known, ~rostered, agents == 0, ~found.has_steady_state],
        ["no_contacts", "no_handle_time", "no_roster", "no_agents", "overloaded"],
        "steady",
    )

    both = modelled & rostered
    return half_hours.select(*_KEYS, "calls", "handle_seconds", "rostered_agents").with_columns(
        patience_column.alias("patience_seconds"),
        _shown("load_erlangs", load, np.ones_like(known)),
        pl.Series("model", np.where(np.isfinite(patience), "erlang_a", "erlang_c"), dtype=pl.String),
        _shown("required_agents", required, modelled),
        _shown("required_heads", heads(required, shrinkage), modelled),
        _shown("gap_agents", agents.astype(np.int64) - required, both),
        *(_shown(name, values, both) for name, values in expected.items()),
        pl.Series("state", state, dtype=pl.String),
    )


def _judged(half_hours: pl.DataFrame, definition: ServiceLevelDefinition) -> tuple[pl.Series, pl.Series]:
    """Calls that count as good, and the base, by a definition of the service level."""
    answered, abandoned = half_hours["answered"], half_hours["abandoned"]
    in_time, early = half_hours["answered_in_target"], half_hours["abandoned_in_target"]
    good = in_time + early if definition == "abandons_good" else in_time
    base = {"answered_only": answered, "early_ignored": answered + abandoned - early}.get(
        definition, answered + abandoned
    )
    return good.rename("good_calls"), base.rename("judged_calls")


def staff_queue(
    half_hours: pl.DataFrame,
    queue: str,
    *,
    service_level: float,
    target_seconds: float,
    shrinkage: float = 0.0,
    definition: ServiceLevelDefinition = "abandons_bad",
    model: Model = "erlang_a",
) -> pl.DataFrame:
    """The half hours of one queue with the agents they needed.

    The mean handle time and the mean patience are those of the whole period: a single half hour has too few calls for either. A roster counts
    with the agents who were there for all of the half hour (rounded down). With `erlang_a` callers of whom none gave up are taken to have
    endless patience, which is Erlang C; with `erlang_b` those who find no free agent go away at once.

    In: `half_hour_at`, `half_hour_on`, `half_hour`, `calls`, `answered`, `answered_in_target`, `abandoned`, `abandoned_in_target` (both within `target_seconds`), `waited_seconds`,
    `handled` (with a known handle time), `handling_seconds`,
    `rostered_seconds` (null = no roster).

    Out: the same rows in the same order: `half_hour_on`, `half_hour`, `calls`, `good_calls` and `judged_calls` (above and below the line of the definition), `rostered_agents`,
    `required_agents`, `required_heads`, `gap_agents`,
    `measured_service_level` (good over judged, null without a base), `expected_service_level`, `state` as in `staff_half_hours`.

    ValueError as in `staff_half_hours`, and on an unknown model or definition.
    """
    if model not in get_args(Model):
        raise ValueError(f"model: {model!r} is none of {', '.join(get_args(Model))}")
    if definition not in get_args(ServiceLevelDefinition):
        raise ValueError(f"definition: {definition!r} is none of {', '.join(get_args(ServiceLevelDefinition))}")
    totals = half_hours.select(pl.col("handled", "handling_seconds", "waited_seconds", "abandoned").sum()).row(
        0, named=True
    )
    handle = totals["handling_seconds"] / totals["handled"] if totals["handling_seconds"] else None
    patience = float(mean_patience(totals["waited_seconds"], totals["abandoned"]))
    patience = {"erlang_b": _AT_ONCE, "erlang_c": math.inf}.get(model, patience)
    staffed = staff_half_hours(
        half_hours.select(
            pl.lit("*").alias("org_unit_id"),
            pl.lit(queue).alias("queue"),
            pl.col("half_hour_at").alias("interval_started_at"),
            "calls",
            pl.lit(handle, dtype=pl.Float64).alias("handle_seconds"),
            (pl.col("rostered_seconds") // HALF_HOUR_SECONDS).alias("rostered_agents"),
            pl.lit(patience if patience > 0 else math.inf).alias("patience_seconds"),
        ),
        service_level=service_level,
        target_seconds=target_seconds,
        shrinkage=shrinkage,
        definition=definition,
    )
    good, base = _judged(half_hours, definition)
    measured = pl.select(pl.when(base > 0).then(good / base)).to_series()
    return pl.concat(
        [
            half_hours.select("half_hour_on", "half_hour", "calls", good, base),
            staffed.select("rostered_agents", "required_agents", "required_heads", "gap_agents"),
            pl.DataFrame({"measured_service_level": measured}),
            staffed.select("expected_service_level", "state"),
        ],
        how="horizontal",
    )


def typical_day(staffed: pl.DataFrame) -> pl.DataFrame:
    """Means over the days of what `staff_queue` found, one row per half hour of the day.

    Out: `half_hour`, `days` (with calls or agents), `calls`, `rostered_agents`, `required_agents` (means over its half hours; one without calls needs nobody), `short_share` (share of the half hours
    with a roster and a need in which fewer agents were rostered than needed), `measured_service_level` (rolled up from its parts).
    """
    idle = pl.col("state") == "no_contacts"
    needed = pl.when(idle).then(0).otherwise(pl.col("required_agents")).alias("required_agents")
    return (
        staffed.with_columns(needed)
        .group_by("half_hour")
        .agg(
            pl.len().alias("days"),
            pl.col("calls", "rostered_agents", "required_agents").mean(),
            (pl.col("gap_agents") < 0).mean().alias("short_share"),
            pl.when(pl.col("judged_calls").sum() > 0)
            .then(pl.col("good_calls").sum() / pl.col("judged_calls").sum())
            .alias("measured_service_level"),
        )
        .sort("half_hour")
    )


MODEL_VERSION = "staffing-1"


def staffing_by_day_type(half_hours: pl.DataFrame) -> pl.DataFrame:
    """What `typical_day` says of each queue, on working days and on days off.

    Handle time and patience are those of the queue over all its days, as in `staff_queue`.

    In: rows of `ftr_queue_half_hours`: `queue`, `day_type`, the columns of `staff_queue`, and what the queue is staffed for: `service_level`, `within_seconds`,
    `definition`, `model`, `shrinkage`; `first_on`, `as_of`.

    Out: one row per `queue`, `day_type`, `half_hour`, in this order, with the columns of `typical_day`, those of the target, `handle_seconds` (null = unknown),
    `patience_seconds` (null = nobody gave up), `first_on`, `model_version`, `as_of`.

    ValueError as in `staff_queue`.
    """
    found = []
    goals = ("service_level", "within_seconds", "definition", "model", "shrinkage")
    for (queue,), rows in half_hours.sort("queue", "half_hour_at").group_by("queue", maintain_order=True):
        goal = rows.row(0, named=True)
        staffed = staff_queue(
            rows,
            str(queue),
            service_level=goal["service_level"],
            target_seconds=goal["within_seconds"],
            shrinkage=goal["shrinkage"],
            definition=goal["definition"],
            model=goal["model"],
        )
        totals = rows.select(pl.col("handled", "handling_seconds", "waited_seconds", "abandoned").sum()).row(
            0, named=True
        )
        handle = totals["handling_seconds"] / totals["handled"] if totals["handled"] else None
        patience = totals["waited_seconds"] / totals["abandoned"] if totals["abandoned"] else None
        for kind in ("working_day", "day_off"):
            of_kind = staffed.filter(rows["day_type"] == kind)
            if of_kind.height:
                found.append(
                    typical_day(of_kind).select(
                        pl.lit(queue, dtype=pl.String).alias("queue"),
                        pl.lit(kind).alias("day_type"),
                        "half_hour",
                        pl.col("days").cast(pl.Int64),
                        pl.col("calls", "rostered_agents", "required_agents", "short_share", "measured_service_level")
                        .cast(pl.Float64)
                        .round(9),
                        *(pl.lit(goal[name]).alias(name) for name in goals),
                        pl.lit(handle, dtype=pl.Float64).round(9).alias("handle_seconds"),
                        pl.lit(patience, dtype=pl.Float64).round(9).alias("patience_seconds"),
                        pl.lit(goal["first_on"], dtype=pl.Date).alias("first_on"),
                        pl.lit(MODEL_VERSION).alias("model_version"),
                        pl.lit(goal["as_of"], dtype=pl.Date).alias("as_of"),
                    )
                )
    return pl.concat(found) if found else pl.DataFrame(schema=_BY_DAY_TYPE)


_BY_DAY_TYPE = {
    "queue": pl.String, "day_type": pl.String, "half_hour": pl.String, "days": pl.Int64, "calls": pl.Float64, "rostered_agents": pl.Float64,
    "required_agents": pl.Float64, "short_share": pl.Float64, "measured_service_level": pl.Float64, "service_level": pl.Float64,
    "within_seconds": pl.Float64, "definition": pl.String, "model": pl.String, "shrinkage": pl.Float64, "handle_seconds": pl.Float64,
    "patience_seconds": pl.Float64, "first_on": pl.Date, "model_version": pl.String, "as_of": pl.Date,
}  # fmt: skip
