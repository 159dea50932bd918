"""The wait to announce to a caller: estimators, a quantile that keeps its word, and the score of both.

Belongs here: what could have been announced to each call of a log, with what was known when it came in, and how often it
held. Does not belong here: announcing, or how the log comes about (marts).

Callers of one class form one line. An estimate says about how long the wait will be; the announcement is the estimate plus
the quantile of what earlier estimates of the same size fell short by, so that a share `quantile` of those answered waits no
longer.

Known at an instant is what happened *strictly before* it: most clocks tick in seconds, and the order within a second is not
known. Of calls that come in at the same instant, those earlier in the frame stand ahead.

Sources: R. Ibrahim and W. Whitt, "Real-time delay estimation based on delay history", *M&SOM* 11(3), 2009 (the three
estimators); V. Vovk, A. Gammerman and G. Shafer, *Algorithmic Learning in a Random World*, 2005, chapter 2 (the rank
ceil((n + 1) q) of the quantile, and one calibration per size of estimate); R. Koenker and G. Bassett, "Regression
quantiles", *Econometrica* 46, 1978 (pinball loss); E. B. Wilson, *JASA* 22, 1927.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ESTIMATORS = ("queue_length", "last_to_enter_service", "head_of_line")

_SECOND = 1_000_000
_NEVER = np.iinfo(np.int64).max
_FIRST_BUCKET_SECONDS = 15.0
"""Estimates below it are calibrated together; above it each doubling has a calibration of its own."""
_Z = 1.959964


def _check_quantile(quantile: float) -> None:
    if not 0 < quantile < 1:
        raise ValueError(f"quantile: {quantile:g} is not between 0 and 1")


def _check_count(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name}: {value} is below 1")


def _need(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    for name in columns:
        if name not in frame.columns:
            raise ValueError(f"{name}: the frame has no such column")


def _check_calls(calls: pl.DataFrame) -> None:
    _need(calls, ("caller_class", "queued_at", "answered_at", "abandoned_at"))
    clock = calls.schema["queued_at"]
    for name in ("queued_at", "answered_at", "abandoned_at"):
        kind = calls.schema[name]
        if not isinstance(kind, pl.Datetime) and not (kind == pl.Null and name != "queued_at"):
            raise ValueError(f"{name}: {kind} is not an instant")
        if isinstance(kind, pl.Datetime) and isinstance(clock, pl.Datetime) and kind.time_zone != clock.time_zone:
            raise ValueError(f"{name}: time zone {kind.time_zone} is not that of queued_at, {clock.time_zone}")
    for name in ("caller_class", "queued_at"):
        if calls[name].null_count():
            raise ValueError(f"{name}: null in row {calls[name].is_null().arg_max()}")
    both = calls.filter(pl.col("answered_at").is_not_null() & pl.col("abandoned_at").is_not_null())
    if both.height:
        raise ValueError(
            f"abandoned_at: {both['abandoned_at'][0]} of a call that was answered at {both['answered_at'][0]}"
        )
    for name in ("answered_at", "abandoned_at"):
        early = calls.filter(pl.col(name) < pl.col("queued_at"))
        if early.height:
            raise ValueError(f"{name}: {early[name][0]} is before queued_at {early['queued_at'][0]}")


def _instants(column: pl.Series) -> Integers:
    """Microseconds; what never happened lies beyond every instant."""
    if column.dtype == pl.Null:
        return np.full(len(column), _NEVER, dtype=np.int64)
    return column.dt.epoch("us").fill_null(_NEVER).to_numpy().astype(np.int64)


def _estimates_of_line(queued: Integers, answered: Integers, left: Integers, intervals: int) -> dict[str, Floats]:
    """The three estimates in seconds of each call of one line in order of coming in; NaN = no information yet.

    `left` is the instant of leaving the line, answered or not.
    """
    position = np.arange(len(queued))
    ahead = position - np.searchsorted(np.sort(left), queued, side="left")

    by_service = np.lexsort((position, answered))
    by_service = by_service[answered[by_service] < _NEVER]
    entries, joined = answered[by_service], queued[by_service]
    entered = np.searchsorted(entries, queued, side="left")
    last = np.full(len(queued), np.nan)
    known = entered > 0
    last[known] = ((entries - joined)[entered[known] - 1]) / _SECOND

    # An interval tells of the agents' pace only if they had somebody to answer all through it.
    busy = np.flatnonzero(joined[1:] <= entries[:-1]) + 1
    running = np.concatenate([[0.0], np.cumsum((entries[busy] - entries[busy - 1]) / _SECOND)])
    seen = np.searchsorted(entries[busy], queued, side="left")
    used = np.minimum(seen, intervals)
    with np.errstate(invalid="ignore"):
        pace = (running[seen] - running[seen - used]) / np.where(used > 0, used, np.nan)

    # The first in line is the first call that has not left; nobody comes back, so the running maximum finds it.
    first = np.searchsorted(np.maximum.accumulate(left), queued, side="left") if len(left) else position
    standing = first < position
    head = np.zeros(len(queued))
    head[standing] = (queued[standing] - queued[first[standing]]) / _SECOND
    return dict(zip(ESTIMATORS, ((ahead + 1) * pace, last, head), strict=True))


def _bucket(estimates: Floats) -> Integers:
    """0 below the first bucket's edge, then one number per doubling."""
    with np.errstate(divide="ignore", invalid="ignore"):
        doublings = np.floor(np.log2(estimates / _FIRST_BUCKET_SECONDS)) + 1
    return np.where(estimates < _FIRST_BUCKET_SECONDS, 0, np.nan_to_num(doublings)).astype(np.int64)


def _rolling_rank(values: Floats, quantile: float, window: int, least: int) -> Floats:
    """For each k the ceil((n + 1) quantile)-th smallest of the last n <= `window` values up to k.

    NaN where n is below `least` or the rank above n.
    """
    result = np.full(len(values), np.nan)
    recent: deque[float] = deque()
    ordered: list[float] = []
    for k, value in enumerate(values.tolist()):
        if len(recent) == window:
            del ordered[bisect_left(ordered, recent.popleft())]
        recent.append(value)
        insort(ordered, value)
        rank = math.ceil((len(ordered) + 1) * quantile - 1e-9)
        if len(ordered) >= least and rank <= len(ordered):
            result[k] = ordered[rank - 1]
    return result


def _calibrated(
    estimates: Floats, queued: Integers, answered: Integers, quantile: float, window: int, least: int
) -> Floats:
    """Estimate plus the quantile of the shortfalls known when the call came in; NaN where too few were."""
    result = np.full(len(estimates), np.nan)
    usable = ~np.isnan(estimates)
    buckets = _bucket(estimates)
    for bucket in np.unique(buckets[usable]):
        members = np.flatnonzero(usable & (buckets == bucket))
        served = members[answered[members] < _NEVER]
        served = served[np.argsort(answered[served], kind="stable")]
        shortfall = (answered[served] - queued[served]) / _SECOND - estimates[served]
        quantiles = np.concatenate([[np.nan], _rolling_rank(shortfall, quantile, window, least)])
        known = np.searchsorted(answered[served], queued[members], side="left")
        result[members] = np.maximum(estimates[members] + quantiles[known], 0)
    return result


def announce(
    calls: pl.DataFrame,
    *,
    quantile: float,
    intervals: int = 30,
    window: int = 500,
    least: int = 50,
) -> pl.DataFrame:
    """What each estimator would have announced to each call, from nothing but what was known when the call came in.

    In: one row per call of one queue: `caller_class`, `queued_at`, `answered_at`, `abandoned_at` (instants of one time
    zone; at most one of the last two; neither = still in line). The order of the rows matters for calls of one instant only.

    - `queue_length`: (calls ahead + 1) x mean of the last `intervals` intervals between two entries into service, of those
      whose second call already stood in line at the first;
    - `last_to_enter_service`: the wait of the call that entered service last;
    - `head_of_line`: how long the first in line has waited so far; 0 when nobody stands in line.

    The announcement adds the rank-ceil((n + 1) `quantile`) shortfall (wait - estimate) of the last n <= `window` answered
    calls of the class whose estimate lay in the same bucket (below 15 s, then one per doubling), and is never negative.
    With n below `least`, or too small for the rank, there is no announcement.

    Out: one row per call and estimator: `call` (row of the input, from 0), `caller_class`, `queued_at`, `estimator`,
    `estimate_seconds` and `announced_seconds` (null = not known yet), `wait_seconds` (null unless answered),
    `abandoned_after_seconds` (null unless abandoned).

    ValueError naming the column and the value: a missing column, null class or queue entry, a call that left before it came
    or left twice, columns of different time zones, a parameter out of range.
    """
    _check_quantile(quantile)
    for name, value in (("intervals", intervals), ("window", window), ("least", least)):
        _check_count(name, value)
    _check_calls(calls)
    numbered = calls.select("caller_class", "queued_at", "answered_at", "abandoned_at").with_row_index("call")
    queued_at, answered_at = _instants(calls["queued_at"]), _instants(calls["answered_at"])
    abandoned_at = _instants(calls["abandoned_at"])
    left_at = np.minimum(answered_at, abandoned_at)
    found = {(name, kind): np.full(calls.height, np.nan) for name in ESTIMATORS for kind in ("estimate", "announced")}
    for line in numbered.partition_by("caller_class"):
        rows = line.sort("queued_at", maintain_order=True)["call"].to_numpy()
        queued, answered = queued_at[rows], answered_at[rows]
        for name, estimates in _estimates_of_line(queued, answered, left_at[rows], intervals).items():
            found[name, "estimate"][rows] = estimates
            found[name, "announced"][rows] = _calibrated(estimates, queued, answered, quantile, window, least)
    wait = np.where(answered_at < _NEVER, (answered_at - queued_at) / _SECOND, np.nan)
    given_up = np.where(abandoned_at < _NEVER, (abandoned_at - queued_at) / _SECOND, np.nan)
    return pl.concat(
        numbered.select("call", "caller_class", "queued_at").with_columns(
            pl.lit(name).alias("estimator"),
            pl.Series("estimate_seconds", found[name, "estimate"], nan_to_null=True),
            pl.Series("announced_seconds", found[name, "announced"], nan_to_null=True),
            pl.Series("wait_seconds", wait, nan_to_null=True),
            pl.Series("abandoned_after_seconds", given_up, nan_to_null=True),
        )
        for name in ESTIMATORS
    )


def _wilson(successes: pl.Expr, n: pl.Expr, sign: int) -> pl.Expr:
    """A bound of the Wilson score interval at 95 %; null when n is 0."""
    p = successes / n
    centre = p + _Z**2 / (2 * n)
    half = _Z * (p * (1 - p) / n + _Z**2 / (4 * n * n)).sqrt()
    return pl.when(n > 0).then(((centre + sign * half) / (1 + _Z**2 / n)).clip(0, 1))


_ANNOUNCEMENTS = (
    "caller_class",
    "queued_at",
    "estimator",
    "announced_seconds",
    "wait_seconds",
    "abandoned_after_seconds",
)


def _check_announcements(announcements: pl.DataFrame) -> None:
    _need(announcements, _ANNOUNCEMENTS)
    if announcements["caller_class"].null_count():
        raise ValueError(f"caller_class: null in row {announcements['caller_class'].is_null().arg_max()}")


def _judged(announcements: pl.DataFrame) -> pl.DataFrame:
    told, waited = pl.col("announced_seconds"), pl.col("wait_seconds")
    return announcements.with_columns(
        (told.is_not_null() & waited.is_not_null()).alias("is_scored"),
        (waited <= told).fill_null(False).alias("is_covered"),
        (told.is_not_null() & pl.col("abandoned_after_seconds").is_not_null()).alias("is_abandoned"),
        (pl.col("abandoned_after_seconds") < told).fill_null(False).alias("is_open"),
    )


def score(
    announcements: pl.DataFrame, *, quantile: float, by: Literal["hour_of_day", "hour", "all"] = "hour_of_day"
) -> pl.DataFrame:
    """How well announcements of a quantile kept their word, per estimator, class and hour of coming in.

    In: the result of `announce`, or any frame with its columns `caller_class`, `queued_at`, `estimator`,
    `announced_seconds`, `wait_seconds`, `abandoned_after_seconds` (such as what an exchange itself announced). `by`: hour of
    the day (0-23) or each hour of the calendar, both in the time zone of `queued_at`, or `all` hours together (`hour` null).

    Out: one row per `estimator`, `caller_class`, `hour` with

    - `n`: answered calls with an announcement, the base of what follows (null when 0);
    - `coverage`: share that waited no longer than announced, the edge included, with its Wilson interval `coverage_low`,
      `coverage_high`;
    - `pinball_loss_seconds`: mean of q (wait - told) where the wait was longer, (1 - q)(told - wait) where it was not;
    - `bias_seconds`: mean of told - wait;
    - `abandoned`: calls with an announcement that gave up, whose wait nobody knows; `coverage_at_least` counts them all as
      not covered, `coverage_at_most` all as covered but those that had already waited as long as they were told;
    - `unannounced`: calls to which nothing could be announced yet.

    ValueError on a missing column, a null class, a quantile out of range or an unknown `by`.
    """
    _check_quantile(quantile)
    _check_announcements(announcements)
    hours = {
        "hour_of_day": pl.col("queued_at").dt.hour(),
        "hour": pl.col("queued_at").dt.truncate("1h"),
        "all": pl.lit(None, dtype=pl.Int8),
    }
    if by not in hours:
        raise ValueError(f"by: {by!r} is none of {', '.join(hours)}")
    hour = hours[by]
    scored, covered = pl.col("is_scored"), pl.col("is_covered")
    over = pl.col("announced_seconds") - pl.col("wait_seconds")
    loss = pl.when(over >= 0).then((1 - quantile) * over).otherwise(-quantile * over)
    n, held, gone, open_ = pl.col("n"), pl.col("_covered"), pl.col("abandoned"), pl.col("_open")
    ended = n + gone
    return (
        _judged(announcements)
        .group_by("estimator", "caller_class", hour.alias("hour"))
        .agg(
            scored.sum().cast(pl.Int64).alias("n"),
            covered.sum().cast(pl.Int64).alias("_covered"),
            loss.filter(scored).mean().alias("pinball_loss_seconds"),
            over.filter(scored).mean().alias("bias_seconds"),
            pl.col("is_abandoned").sum().cast(pl.Int64).alias("abandoned"),
            pl.col("is_open").sum().cast(pl.Int64).alias("_open"),
            pl.col("announced_seconds").is_null().sum().cast(pl.Int64).alias("unannounced"),
        )
        .select(
            "estimator",
            "caller_class",
            "hour",
            "n",
            pl.when(n > 0).then(held / n).alias("coverage"),
            _wilson(held, n, -1).alias("coverage_low"),
            _wilson(held, n, 1).alias("coverage_high"),
            "pinball_loss_seconds",
            "bias_seconds",
            "abandoned",
            pl.when(ended > 0).then(held / ended).alias("coverage_at_least"),
            pl.when(ended > 0).then((held + open_) / ended).alias("coverage_at_most"),
            "unannounced",
        )
        .sort("estimator", "caller_class", "hour")
    )


def fairness(
    announcements: pl.DataFrame, *, seed: int, resamples: int = 2000, least_days: int = 5, least_calls: int = 1
) -> pl.DataFrame:
    """Whether the announcement keeps its word to every class alike: the spread of coverage across classes.

    In: as for `score`. Out: one row per `estimator` with `classes` (those with at least `least_calls` answered and announced
    calls; the others are left out: thirteen calls that all kept their word would look like a class treated better), `n`,
    `lowest_class`, `lowest_coverage`, `highest_class`, `highest_coverage`, `spread` (highest - lowest), its 95 % interval
    `spread_low`, `spread_high`, and `spread_by_chance`: the 95th percentile of the spread that days like these show when
    all classes are in truth served alike. A spread is never negative, so its interval cannot answer that question:
    compare `spread` with `spread_by_chance`.

    Interval and chance come from whole days (of `queued_at`) drawn again `resamples` times with `seed`, since calls of one
    day share its queue; below `least_days` days they are null. With fewer than two classes there is no spread (null).

    ValueError on a missing column, a null class or a parameter below 1.
    """
    _check_announcements(announcements)
    _check_count("resamples", resamples)
    _check_count("least_days", least_days)
    _check_count("least_calls", least_calls)
    counted = (
        _judged(announcements)
        .filter("is_scored")
        .group_by("estimator", "caller_class", pl.col("queued_at").dt.date().alias("day"))
        .agg(pl.len().alias("n"), pl.col("is_covered").sum().alias("covered"))
        .filter(pl.col("n").sum().over("estimator", "caller_class") >= least_calls)
        .sort("estimator", "caller_class", "day")
    )
    rows = []
    for (estimator,), part in counted.group_by("estimator", maintain_order=True):
        classes = part["caller_class"].unique(maintain_order=True)
        days = part["day"].unique().sort()
        n, covered = np.zeros((len(days), len(classes))), np.zeros((len(days), len(classes)))
        at = days.search_sorted(part["day"]).to_numpy(), part["caller_class"].rank("dense").to_numpy() - 1
        n[at], covered[at] = part["n"].to_numpy(), part["covered"].to_numpy()
        coverage = covered.sum(axis=0) / n.sum(axis=0)
        row: dict[str, object] = {"estimator": estimator, "classes": len(classes), "n": int(n.sum())}
        if len(classes) > 1:
            low, high = int(np.argmin(coverage)), int(np.argmax(coverage))
            row |= {
                "lowest_class": classes[low],
                "lowest_coverage": float(coverage[low]),
                "highest_class": classes[high],
                "highest_coverage": float(coverage[high]),
                "spread": float(coverage[high] - coverage[low]),
            }
            if len(days) >= least_days:
                drawn = np.random.default_rng(seed).multinomial(len(days), np.full(len(days), 1 / len(days)), resamples)
                with np.errstate(invalid="ignore"):
                    again = (drawn @ covered) / (drawn @ n)  # NaN where no drawn day has the class
                again = again[~np.isnan(again).any(axis=1)]
                if len(again):
                    row["spread_low"], row["spread_high"] = np.quantile(np.ptp(again, axis=1), [0.025, 0.975]).tolist()
                    row["spread_by_chance"] = float(np.quantile(np.ptp(again - coverage, axis=1), 0.95))
        rows.append(row)
    name, share = announcements.schema["caller_class"], pl.Float64()
    schema: dict[str, pl.DataType] = {
        "estimator": pl.String(),
        "classes": pl.Int64(),
        "n": pl.Int64(),
        "lowest_class": name,
        "lowest_coverage": share,
        "highest_class": name,
        "highest_coverage": share,
        "spread": share,
        "spread_low": share,
        "spread_high": share,
        "spread_by_chance": share,
    }
    return pl.DataFrame(rows, schema=schema)


def exchange_announcements(calls: pl.DataFrame) -> pl.DataFrame:
    """What the exchange itself announced, in the shape that `score` and `fairness` judge; estimator `exchange`.

    In: `caller_class`, `queued_at`, `answered_at`, `abandoned_at` as for `announce`, and `announced_seconds` (null = nothing).
    ValueError as for `announce`.
    """
    _check_calls(calls)
    _need(calls, ("announced_seconds",))

    def waited(end: str) -> pl.Expr:
        return (pl.col(end) - pl.col("queued_at")).dt.total_microseconds() / _SECOND

    return calls.with_row_index("call").select(
        "call",
        "caller_class",
        "queued_at",
        pl.lit("exchange").alias("estimator"),
        pl.lit(None, dtype=pl.Float64).alias("estimate_seconds"),
        pl.col("announced_seconds").cast(pl.Float64),
        waited("answered_at").alias("wait_seconds"),
        waited("abandoned_at").alias("abandoned_after_seconds"),
    )


def best_estimator(announcements: pl.DataFrame, *, quantile: float) -> str | None:
    """The estimator of the lowest mean pinball loss, over the answered calls to which each of them announced something.

    In: the result of `announce`. None when there is no such call; of equals the first of `ESTIMATORS`. ValueError as for `score`.
    """
    _check_announcements(announcements)
    judged = _judged(announcements).filter(pl.col("is_scored").all().over("call"))
    scored = score(judged.with_columns(pl.lit("*").alias("caller_class")), quantile=quantile, by="all")
    loss = dict(scored.select("estimator", "pinball_loss_seconds").iter_rows())
    return min((name for name in ESTIMATORS if name in loss), key=lambda name: loss[name], default=None)
