"""Bursts of complaints in topic, place and product: what a day brings, held against what the days before it let expect.

Belongs here: the test of each cell on each day with nothing but what lay before it, the budget of false alarms, and the bursts that alarm days make up.
Does not belong here: what counts as a complaint or a customer (features), who owns the issue.

Expected: customers a day of the cell over `baseline_days` that end `window_days` before the day (a gap, so that a burst does not hide itself), days of earlier
bursts left out, each day weighted by the weekday's share of all complaints of that time. The rate has a gamma posterior under the prior of Jeffreys, so the
count to come is negative binomial also where the cell has hardly any past (A. Gelman et al., *Bayesian Data Analysis*, 3rd ed., 2013, 2.6); its variance is
μ · (φ + μ / (S + ½)), with S the customers of the baseline and φ the spread of all cells about their means (Pearson's X² over its degrees of freedom, never below 1), as in
C. P. Farrington et al., "A statistical algorithm for the early detection of outbreaks of infectious disease", *J. R. Statist. Soc. A* 159, 1996.

False alarms: of all cells that there could be on a day, over the windows, each is tested at the budget divided by their number. Then the expected number of false alarms a
day is at most the budget whatever depends on what (the sum of the levels: Bonferroni), as far as the counts follow the model.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import nbinom, poisson

MODEL_VERSION = "hot-1"
COMPANY = "company"
"""Place of a burst that no province stands out in."""
_PRIOR = 0.5

SCHEMA: dict[str, pl.DataType] = {
    "topic": pl.String(), "place": pl.String(), "product_line": pl.String(), "first_on": pl.Date(), "last_on": pl.Date(), "peak_on": pl.Date(),
    "window_days": pl.Int32(), "customers_at_first": pl.Int32(), "expected_at_first": pl.Float64(), "p_value": pl.Float64(), "level": pl.Float64(),
    "customers": pl.Int32(), "expected": pl.Float64(), "peak_customers": pl.Int32(), "alarm_days": pl.Int32(), "cells_tested": pl.Int32(),
    "is_running": pl.Boolean(), "model_version": pl.String(), "as_of": pl.Date(),
}  # fmt: skip


def tail_probability(
    count: NDArray[np.float64], mean: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """P(X ≥ count) of a negative binomial with the given means and variances `mean · spread`; Poisson where the spread is 1.

    Args:
        count, mean, spread: shape (n,); means positive, spreads at least 1.

    Raises:
        ValueError: a mean is not positive or a spread is below 1.
    """
    if np.any(mean <= 0) or np.any(spread < 1):
        raise ValueError("means must be positive and spreads at least 1")
    wide = spread > 1 + 1e-12
    size = mean / np.where(wide, spread - 1, 1.0)
    found = np.where(wide, nbinom.sf(count - 1, size, size / (size + mean)), poisson.sf(count - 1, mean))
    return np.asarray(found, dtype=np.float64)


def hot_issues(
    days: pl.DataFrame, *, baseline_days: int = 56, least_days: int = 28, window_days: int = 3, least_customers: int = 4,
    false_alarms_per_day: float = 0.02, quiet_days: int = 3, longest_days: int = 28,
) -> pl.DataFrame:  # fmt: skip
    """Bursts, one row each, by first day.

    Args:
        days: topic, province_id, product_line (text, not null), opened_on (date), customers (whole number), as_of (date, the same in all rows); one row per cell and day.
        baseline_days: days that the expectation is made from; with fewer than `least_days` of them no test is made.
        window_days: a day is tested alone and together with the days before it, so many in all.
        least_customers: fewer are no hot issue, however unlikely.
        false_alarms_per_day: budget, over all cells and both windows.
        quiet_days: so many days without alarm end a burst.
        longest_days: a burst that lasts longer is the new normal: its later days are part of the expectation again.

    Returns:
        Columns of `SCHEMA`. `first_on` is the day whose evening brings the first alarm; `customers` and `expected` are those from the beginning of that alarm's window to `last_on`, the last alarm day.
        A `place` is a province, or `company`: alarms of the whole company are raised by what the provinces without an alarm add up to.

    Raises:
        ValueError: a window or budget that allows no test.
    """
    if not (0 < window_days < least_days <= baseline_days) or not 0 < false_alarms_per_day < 1 or least_customers < 1:
        raise ValueError("windows or budget allow no test")
    if days.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    days = days.sort("topic", "product_line", "province_id", "opened_on")
    as_of: date = days["as_of"][0]
    first: date = days["opened_on"].min()  # type: ignore[assignment]
    cells = days.select("topic", "product_line", "province_id").unique(maintain_order=True).with_row_index("cell")
    groups = cells.select("topic", "product_line").unique(maintain_order=True).with_row_index("group")
    group_of = (
        cells.join(groups, on=["topic", "product_line"], maintain_order="left")["group"].cast(pl.Int64).to_numpy()
    )
    n_days, n_cells, n_groups = (as_of - first).days + 1, cells.height, groups.height
    placed = days.join(cells, on=["topic", "product_line", "province_id"], maintain_order="left")
    counts = np.zeros((n_days, n_cells))
    at = (placed["opened_on"] - first).dt.total_days().to_numpy()
    counts[at, placed["cell"].to_numpy()] = placed["customers"].to_numpy()
    possible = _possible_cells(placed, at, n_days)
    totals = counts.sum(axis=1)
    weekday = (np.arange(n_days) + first.weekday()) % 7
    left_out = np.zeros((n_days, n_cells), dtype=bool)
    run = np.zeros(n_cells + n_groups, dtype=np.int64)
    last_alarm = np.full(n_cells + n_groups, -n_days)
    alarms: list[tuple[int, int, int, float, float, float, float, int]] = []
    expected_by_day: dict[tuple[int, int], float] = {}

    for t in range(least_days + window_days - 1, n_days):
        base = np.arange(max(0, t - window_days - baseline_days + 1), t - window_days + 1)
        factor = _weekday_factors(totals[base], weekday[base])
        weights = factor[weekday[base]][:, None]
        used = ~left_out[base]
        seen = counts[base] * used
        exposure = (weights * used).sum(axis=0)
        past = seen.sum(axis=0)
        rate = past / np.maximum(exposure, 1e-9)
        residual = (
            (seen**2).sum(axis=0) - 2 * rate * (seen * weights).sum(axis=0) + rate**2 * (weights**2 * used).sum(axis=0)
        )
        phi = max(1.0, float(residual.sum() / max(past.sum(), 1e-9)) * len(base) / (len(base) - 1))
        cells_tested = int(possible[t])
        level = false_alarms_per_day / (cells_tested * (2 if window_days > 1 else 1))
        known = exposure > 0
        daily = np.where(known, (past + _PRIOR) / np.maximum(exposure, 1e-9), np.inf)
        alarmed_today = np.zeros(n_cells, dtype=bool)
        group_exposure = np.bincount(group_of, np.where(known, exposure, 0.0), n_groups) / np.maximum(
            np.bincount(group_of, known, n_groups), 1
        )
        fired: dict[int, tuple[int, float, float, float]] = {}
        for width in sorted({1, window_days}):
            span = factor[weekday[t - width + 1 : t + 1]].sum()
            found = counts[t - width + 1 : t + 1].sum(axis=0)
            picked = np.flatnonzero((found >= least_customers) & known & (counts[t] > 0))
            for index, p in zip(picked, _tails(found[picked], daily[picked] * span, past[picked], phi), strict=True):
                if p <= level and (int(index) not in fired or p < fired[int(index)][3]):
                    fired[int(index)] = (width, float(found[index]), float(daily[index] * span), float(p))
                    alarmed_today[index] = True
        for width in sorted({1, window_days}):
            span = factor[weekday[t - width + 1 : t + 1]].sum()
            rest = ~alarmed_today & known
            found = np.bincount(group_of, counts[t - width + 1 : t + 1].sum(axis=0) * rest, n_groups).astype(np.float64)
            today = np.bincount(group_of, counts[t] * rest, n_groups)
            group_past = np.bincount(group_of, past * rest, n_groups).astype(np.float64)
            group_daily = (group_past + _PRIOR) / np.maximum(group_exposure, 1e-9)
            picked = np.flatnonzero((found >= least_customers) & (today > 0) & (group_exposure > 0))
            for index, p in zip(
                picked, _tails(found[picked], group_daily[picked] * span, group_past[picked], phi), strict=True
            ):
                key = n_cells + int(index)
                if p <= level and (key not in fired or p < fired[key][3]):
                    fired[key] = (width, float(found[index]), float(group_daily[index] * span), float(p))
        for key, (width, number, mean, p) in sorted(fired.items()):
            run[key] = run[key] + (t - last_alarm[key]) if t - last_alarm[key] <= quiet_days else 1
            last_alarm[key] = t
            alarms.append((key, t, width, number, mean, p, level, cells_tested))
            if run[key] <= longest_days:
                members = [key] if key < n_cells else np.flatnonzero(group_of == key - n_cells)
                left_out[t - width + 1 : t + 1, members] = True
        for key in {key for key in range(n_cells + n_groups) if t - last_alarm[key] <= quiet_days}:
            today_mean = (
                daily[key]
                if key < n_cells
                else (np.bincount(group_of, past, n_groups)[key - n_cells] + _PRIOR)
                / max(group_exposure[key - n_cells], 1e-9)
            )
            expected_by_day[key, t] = float(today_mean * factor[weekday[t]])
    return _bursts(alarms, expected_by_day, counts, group_of, cells, groups, first, as_of, quiet_days)


def _tails(
    found: NDArray[np.float64], mean: NDArray[np.float64], past: NDArray[np.float64], phi: float
) -> NDArray[np.float64]:
    if not len(found):
        return np.zeros(0)
    return tail_probability(found, mean, phi + mean / (past + _PRIOR))


def _weekday_factors(totals: NDArray[np.float64], weekday: NDArray[np.int64]) -> NDArray[np.float64]:
    """Complaints of a weekday over those of a mean day, shape (7,); drawn to 1 as if one more mean day of each had been seen with 10 complaints."""
    mean = totals.mean()
    days, seen = np.bincount(weekday, minlength=7), np.bincount(weekday, totals, minlength=7)
    return np.asarray((seen + 10.0) / (days * mean + 10.0), dtype=np.float64)


def _possible_cells(placed: pl.DataFrame, at: NDArray[np.int64], n_days: int) -> NDArray[np.int64]:
    """Cells that there could be by each day: topics times products times places seen until then, the company as a further place."""
    sizes = np.ones(n_days, dtype=np.int64)
    for column, more in (("topic", 0), ("product_line", 0), ("province_id", 1)):
        firsts = (
            placed.select(column)
            .with_columns(pl.Series("at", at))
            .group_by(column)
            .agg(pl.col("at").min())["at"]
            .to_numpy()
        )
        sizes *= np.cumsum(np.bincount(firsts, minlength=n_days)) + more
    return sizes


def _bursts(
    alarms: list[tuple[int, int, int, float, float, float, float, int]], expected_by_day: dict[tuple[int, int], float], counts: NDArray[np.float64],
    group_of: NDArray[np.int64], cells: pl.DataFrame, groups: pl.DataFrame, first: date, as_of: date, quiet_days: int,
) -> pl.DataFrame:  # fmt: skip
    n_cells = cells.height
    by_key: dict[int, list[list[tuple[int, int, int, float, float, float, float, int]]]] = {}
    for alarm in alarms:
        bursts = by_key.setdefault(alarm[0], [])
        if bursts and alarm[1] - bursts[-1][-1][1] <= quiet_days:
            bursts[-1].append(alarm)
        else:
            bursts.append([alarm])
    rows = []
    for key, bursts in sorted(by_key.items()):
        if key < n_cells:
            topic, product, place = cells.row(key)[1:]
            series = counts[:, key]
        else:
            (topic, product), place = groups.row(key - n_cells)[1:], COMPANY
            series = counts[:, group_of == key - n_cells].sum(axis=1)
        for burst in bursts:
            _, t, width, number, mean, p, level, cells_tested = burst[0]
            end = burst[-1][1]
            begin = t - width + 1
            peak = begin + int(np.argmax(series[begin : end + 1]))
            later = sum(expected_by_day.get((key, day), 0.0) for day in range(t + 1, end + 1))
            rows.append((
                topic, place, product, first + timedelta(days=t), first + timedelta(days=end), first + timedelta(days=peak), width, int(number), round(mean, 9),
                float(f"{p:.6e}"), float(f"{level:.6e}"), int(series[begin : end + 1].sum()), round(mean + later, 9), int(series[peak]), len(burst), cells_tested,
                (as_of - first).days - end < quiet_days, MODEL_VERSION, as_of,
            ))  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("first_on", "topic", "product_line", "place")
