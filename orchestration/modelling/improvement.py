"""What an action did to the complaints that it was meant to prevent: how far their rate changed, and whether chance or something else may be behind it.

Belongs here: the comparison of times and units, its interval, its placebo tests, and what would have been needed to see an effect. Does not belong here: which
complaints and units an action is about (SQL, `ftr_improvement_actions`), and what an action is (marts).

All effects are rate ratios: 1 = as it would have been anyway, 0.7 = three in ten fewer. Time is counted in periods of equal length, backwards from the start of the
action and onwards from its end; the time between belongs to neither side, and neither do the last days before the start: an action is begun because things were bad,
and a bad month is followed by a better one with an action or without (O. Ashenfelter, *Review of Economics and Statistics* 60, 1978).

Sources: A. K. Wagner, S. B. Soumerai, F. Zhang and D. Ross-Degnan, "Segmented regression analysis of interrupted time series studies", *Journal of Clinical Pharmacy and
Therapeutics* 27, 2002; P. McCullagh and J. A. Nelder, *Generalized Linear Models*, 2nd ed. 1989, 4.5 and 6.2 (dispersion); W. K. Newey and K. D. West, *Econometrica* 55,
1987 (errors that follow each other); M. Bertrand, E. Duflo and S. Mullainathan, *Quarterly Journal of Economics* 119, 2004 (differences in differences taken together into
before and after); A. Abadie, A. Diamond and J. Hainmueller, *JASA* 105, 2010 (placebo units); J. B. S. Haldane, *Annals of Human Genetics* 20, 1956 (one half added
where a count is 0); H. S. Bloom, *Evaluation Review* 19, 1995 (smallest effect that would be seen).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit  # the quantile of Student's t; scipy.stats takes half a second to import

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MODEL_VERSION = "improvement-effect-1"
CONFIDENCE, POWER = 0.95, 0.8
SERIES, DIFFERENCE, RELAPSE = "interrupted_series", "difference_in_differences", "relapse"
_SEED = 20260401
_DRAWS = 399
_DOUBT = 0.1
"""An effect is doubtful when so large a part of groups of units that had no action changed as much."""

EFFECTS_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "source": pl.String,
    "improvement_action_id": pl.String,
    "method": pl.String,
    "rate_ratio": pl.Float64,
    "ratio_low": pl.Float64,
    "ratio_high": pl.Float64,
    "detectable_ratio": pl.Float64,
    "months_needed": pl.Float64,
    "complaints_before": pl.Int64,
    "complaints_after": pl.Int64,
    "others_before": pl.Int64,
    "others_after": pl.Int64,
    "periods_before": pl.Int64,
    "periods_after": pl.Int64,
    "units_in_scope": pl.Int64,
    "units_outside": pl.Int64,
    "units_left_out": pl.Int64,
    "dispersion": pl.Float64,
    "placebo_dates": pl.Int64,
    "placebo_dates_significant": pl.Int64,
    "placebo_causes": pl.Int64,
    "placebo_causes_significant": pl.Int64,
    "placebo_units": pl.Int64,
    "placebo_units_share": pl.Float64,
    "verdict": pl.String,
    "reason": pl.String,
    "base": pl.String,
    "is_start_in_before": pl.Boolean,
    "before_from": pl.Date,
    "before_until": pl.Date,
    "after_from": pl.Date,
    "after_until": pl.Date,
    "is_final": pl.Boolean,
    "model_version": pl.String,
    "as_of": pl.Date,
}


@dataclass(frozen=True)
class Estimate:
    """A logarithm of a rate ratio with its standard error and degrees of freedom."""

    log_ratio: float
    error: float
    df: int
    dispersion: float

    @property
    def half(self) -> float:
        """Half the width of the interval, in logarithms."""
        return float(stdtrit(self.df, (1 + CONFIDENCE) / 2)) * self.error

    @property
    def is_significant(self) -> bool:
        """The interval leaves out a ratio of 1."""
        return abs(self.log_ratio) > self.half

    @property
    def detectable(self) -> float:
        """Largest ratio below 1 that would have been found significant with a probability of 80 %."""
        return math.exp(-float(stdtrit(self.df, (1 + CONFIDENCE) / 2) + stdtrit(self.df, POWER)) * self.error)


def difference(
    counts: Floats, exposure: Floats, in_scope: Flags, after: Flags, *, with_error: bool = True
) -> Estimate | None:
    """Difference in differences of two groups of units over periods, as the logarithm of a rate ratio.

    Estimate: (rate in scope after / before) / (rate outside after / before), rates from sums. Its variance is that of four Poisson counts times the dispersion: Pearson's
    chi square over its degrees of freedom, once of the share of the scope in each period, once of the share of after in each unit; the larger, and at least 1. With that a
    month, or a unit, that goes its own way widens the interval.

    Args:
        counts: complaints, shape (units, periods).
        exposure: customers times days, the same shape; greater than 0 in sum of each group and period.
        in_scope: shape (units,). after: shape (periods,).
        with_error: False skips the errors, which are then 0.

    Returns:
        None where a group has no complaint at all, or too few periods or units leave no degree of freedom.
    """
    groups = (in_scope, ~in_scope)
    sums = np.array([[counts[g][:, t].sum() for t in (~after, after)] for g in groups])
    bases = np.array([[exposure[g][:, t].sum() for t in (~after, after)] for g in groups])
    df = min(len(after), len(in_scope)) - 2
    if (sums.sum(axis=1) == 0).any() or (bases <= 0).any() or df < 1:
        return None
    filled = sums + (0.5 if (sums == 0).any() else 0.0)
    rates = np.log(filled / bases)
    log_ratio = float((rates[0, 1] - rates[0, 0]) - (rates[1, 1] - rates[1, 0]))
    if not with_error:
        return Estimate(log_ratio, 0.0, df, 1.0)
    # Of each period: the share of the scope. Of each unit: the share of the time after.
    inside, everything = counts[in_scope].sum(axis=0), counts.sum(axis=0)
    inside_base, outside_base = exposure[in_scope].sum(axis=0), exposure[~in_scope].sum(axis=0)
    side = after.astype(int)
    odds = np.exp(rates[0, side] - rates[1, side]) * inside_base / np.maximum(outside_base, 1e-12)
    by_period = _dispersion(inside, everything, odds / (1 + odds), 2)
    late, total = counts[:, after].sum(axis=1), counts.sum(axis=1)
    group = np.where(in_scope, 0, 1)
    unit_odds = (
        np.exp(rates[group, 1] - rates[group, 0])
        * exposure[:, after].sum(axis=1)
        / np.maximum(exposure[:, ~after].sum(axis=1), 1e-12)
    )
    by_unit = _dispersion(late, total, unit_odds / (1 + unit_odds), 2)
    wide = max(1.0, by_period, by_unit)
    return Estimate(log_ratio, math.sqrt(wide * float((1 / filled).sum())), df, wide)


def _dispersion(part: Floats, whole: Floats, share: Floats, parameters: int) -> float:
    """Pearson's chi square of binomial parts over its degrees of freedom; 0 with none."""
    used = (whole > 0) & (share > 0) & (share < 1)
    df = int(used.sum()) - parameters
    if df < 1:
        return 0.0
    p, n = share[used], whole[used]
    return float(((part[used] - n * p) ** 2 / (n * p * (1 - p))).sum() / df)


def interrupted(counts: Floats, exposure: Floats, after: Flags) -> Estimate | None:
    """Step in the level of a series beside one straight trend: log(rate) = a + b * period + c * after; c is the estimate.

    Quasi-likelihood of Poisson; the standard error is the larger of that with the dispersion (at least 1) and that of Newey and West with one lag.

    Args:
        counts: complaints in each period, shape (periods,). exposure: the same shape, above 0. after: the same shape.

    Returns:
        None with no complaint on a side, fewer than two periods on a side, or fewer than five in all.
    """
    n = len(counts)
    if n < 5 or after.sum() < 2 or (~after).sum() < 2 or counts[after].sum() == 0 or counts[~after].sum() == 0:
        return None
    time = np.arange(n, dtype=np.float64)
    x = np.column_stack([np.ones(n), (time - time.mean()) / n, after.astype(np.float64)])
    if np.linalg.matrix_rank(x) < 3:
        return None
    offset = np.log(exposure)
    beta = np.array([math.log(counts.sum() / exposure.sum()), 0.0, 0.0])
    for _ in range(60):
        mean = np.exp(np.clip(x @ beta + offset, -30, 30))
        hessian = (x * mean[:, None]).T @ x
        step = np.linalg.solve(hessian, x.T @ (counts - mean))
        beta = beta + np.clip(step, -2, 2)
        if float(np.abs(step).max()) < 1e-11:
            break
    else:
        return None
    mean = np.exp(x @ beta + offset)
    bread = np.linalg.inv((x * mean[:, None]).T @ x)
    df = n - 3
    wide = max(1.0, float(((counts - mean) ** 2 / mean).sum() / df))
    scores = x * (counts - mean)[:, None]
    lagged = scores[1:].T @ scores[:-1]
    meat = (scores.T @ scores + 0.5 * (lagged + lagged.T)) * n / df
    variance = max(wide * float(bread[2, 2]), float((bread @ meat @ bread)[2, 2]))
    return Estimate(float(beta[2]), math.sqrt(variance), df, wide)


def months_needed(found: Estimate, sums: Floats, periods: tuple[int, int], period_days: int) -> float | None:
    """Months after the action with which the ratio that was found would be told from 1, the time before staying as it is.

    Args:
        found: a difference in differences. sums: its four counts, shape (2, 2): in scope and outside, before and after.

    Returns:
        None where no time after is long enough: the time before alone is too uncertain.
    """
    limit = float(stdtrit(found.df, (1 + CONFIDENCE) / 2))
    allowed = (found.log_ratio / limit) ** 2 / found.dispersion
    filled = sums + (0.5 if (sums == 0).any() else 0.0)
    left = allowed - float((1 / filled[:, 0]).sum())
    if left <= 0:
        return None
    per_period = filled[:, 1] / periods[1]
    return float((1 / per_period).sum() / left) * period_days / 30.4375


def _surprising(significant: int, tests: int) -> bool:
    """So many significant placebos would come by chance in fewer than one case of twenty."""
    p = 1 - CONFIDENCE
    tail = sum(math.comb(tests, k) * p**k * (1 - p) ** (tests - k) for k in range(significant, tests + 1))
    return significant > 0 and tail < p


@dataclass(frozen=True)
class _Window:
    """Periods before and after as edges in days from an origin; a period is [edge, edge + length)."""

    starts: NDArray[np.int64]
    after: Flags
    length: int

    def of(self, daily: Floats) -> Floats:
        """Sums over the periods of a table of days, shape (units, days) -> (units, periods)."""
        together = np.concatenate([np.zeros((daily.shape[0], 1)), np.cumsum(daily, axis=1)], axis=1)
        return np.asarray(together[:, self.starts + self.length] - together[:, self.starts])


def _window(start: int, done: int, last: int, *, dip: int, length: int, periods: int) -> tuple[_Window, bool]:
    """Periods from the day the action ended, and back from its start less the dip.

    Where fewer than two fit before, the time of the action itself is taken as time before, too (second value True).
    """
    end, with_start = start - dip, False
    if end // length < 2:
        end, with_start = done, True
    before = [end - length * k for k in range(min(end // length, periods), 0, -1)]
    after = [done + length * k for k in range(min((last + 1 - done) // length, periods))]
    starts = np.array(before + after, dtype=np.int64)
    return _Window(starts, np.arange(len(starts)) >= len(before), length), with_start


def improvement_effects(
    actions: pl.DataFrame,
    days: pl.DataFrame,
    *,
    compared_days: int,
    dip_days: int,
    period_days: int,
    minimum: int,
) -> pl.DataFrame:
    """Effect of each action by each method on the complaints of its cause in its units.

    Methods: `interrupted_series` (its units alone, against their own trend), `difference_in_differences` (against the other units) and `relapse` (the later half of the time
    after against the earlier half, units in scope against the others: above 1 the effect wears off). Units outside that had another action on the same cause within the time
    compared are left out.

    Args:
        actions: columns of `ftr_improvement_actions`.
        days: columns of `ftr_complaint_days`.
        compared_days: so much time before and after is compared at most. dip_days: left out before the start. period_days: length of a period.
        minimum: complaints in scope before and after together below which there is no estimate.

    Returns:
        Columns of `EFFECTS_SCHEMA`, sorted by action and method. `placebo_dates`: the same comparison with another day, within the time before or within the time after;
        `placebo_causes`: the same units and time, each other cause; `placebo_units`: groups of units that had no action, drawn with a fixed seed, with the share of them (the
        action's own units counted in) that changed at least as much. `verdict`: fell, rose, not_seen (interval holds 1), doubtful (it does not, but the placebos
        move as well) or not_judged, with a `reason`: cancelled, not_done, cause_unknown, no_unit_in_scope, too_short_before, too_short_after, too_few_complaints or
        no_units_outside.
    """
    if actions.is_empty() or days.is_empty():
        return pl.DataFrame(schema=EFFECTS_SCHEMA)
    table = _Table(days)
    rows: list[dict[str, Any]] = []
    ordered = actions.sort("source", "improvement_action_id")
    for action in ordered.iter_rows(named=True):
        rows.extend(_of_action(action, ordered, table, compared_days, dip_days, period_days, minimum))
    frame = pl.DataFrame([{name: row.get(name) for name in EFFECTS_SCHEMA} for row in rows], schema=EFFECTS_SCHEMA)
    numbers = [name for name, kind in EFFECTS_SCHEMA.items() if kind == pl.Float64]
    return frame.with_columns(pl.col(numbers).round(9)).sort("source", "improvement_action_id", "method")


class _Table:
    """Complaints and customers of all units on all days, for quick sums."""

    def __init__(self, days: pl.DataFrame) -> None:
        complaints = days.filter(pl.col("part") == "complaints").sort("org_unit_id", "cause", "topic", "counted_on")
        customers = days.filter((pl.col("part") == "customers") & (pl.col("units") > 0))
        self.units: list[str] = sorted(days["org_unit_id"].unique().to_list())
        self.last: date = days["as_of"].to_list()[0]
        self.first: date = complaints["counted_on"].sort().to_list()[0] if complaints.height else self.last
        self.size = (self.last - self.first).days + 1
        named = pl.DataFrame({"org_unit_id": self.units}).with_row_index("unit")
        self.complaints = complaints.join(named, on="org_unit_id").select(
            "cause",
            "topic",
            "unit",
            day=(pl.col("counted_on") - self.first).dt.total_days(),
            n=pl.col("units").cast(pl.Float64),
        )
        self.unit, self.day = (self.complaints[name].to_numpy().astype(np.int64) for name in ("unit", "day"))
        self.cause = self.complaints["cause"].rank("dense").to_numpy().astype(np.int64) - 1
        self.causes = int(self.cause.max()) + 1 if len(self.cause) else 0
        self.n = self.complaints["n"].to_numpy()
        # Customers of each unit on each day: those of its month, or of the nearest month before (else after) that has any; 0 = never known.
        grid = pl.DataFrame({"day": pl.date_range(self.first, self.last, eager=True)}).join(named, how="cross")
        grid = grid.with_columns(month=pl.col("day").dt.truncate("1mo"))
        of_month = customers.select(
            "org_unit_id", month=pl.col("counted_on").dt.truncate("1mo"), n=pl.col("units").cast(pl.Float64)
        )
        filled = (
            grid.join(of_month, on=["org_unit_id", "month"], how="left")
            .sort("unit", "day")
            .with_columns(pl.col("n").forward_fill().backward_fill().over("unit").fill_null(0.0))
        )
        self.exposure = filled["n"].to_numpy().reshape(len(self.units), self.size)

    def periods(self, window: _Window, ours: pl.Series) -> tuple[Floats, Floats]:
        """Complaints of the marked rows and, by cause, of the others; shapes (units, periods) and (causes, units, periods)."""
        period = np.full(self.size, -1, dtype=np.int64)
        for number, first in enumerate(window.starts):
            period[first : first + window.length] = number
        at = period[self.day]
        width, units = len(window.starts), len(self.units)
        place = self.unit * width + at
        marked, used = ours.to_numpy(), at >= 0
        own = np.bincount(place[used & marked], weights=self.n[used & marked], minlength=units * width)
        rest = used & ~marked
        other = np.bincount(
            self.cause[rest] * units * width + place[rest], weights=self.n[rest], minlength=self.causes * units * width
        )
        return (
            np.asarray(own, dtype=np.float64).reshape(units, width),
            np.asarray(other, dtype=np.float64).reshape(self.causes, units, width),
        )

    def is_of(self, causes: list[str], basis: str) -> pl.Expr:
        """Rows whose cause is named; by the scope of an action a topic may be named as well."""
        named = pl.col("cause").is_in(causes)
        return named if basis == "root_cause" else named | pl.col("topic").is_in(causes)


def _listed(text: str | None) -> list[str]:
    return [part for part in (text or "").split(";") if part]


def _of_action(
    action: dict[str, Any],
    actions: pl.DataFrame,
    table: _Table,
    compared_days: int,
    dip_days: int,
    length: int,
    minimum: int,
) -> list[dict[str, Any]]:
    """The rows of one action."""
    common = {
        "source": action["source"], "improvement_action_id": action["improvement_action_id"], "verdict": "not_judged",
        "model_version": MODEL_VERSION, "as_of": table.last, "is_final": False,
    }  # fmt: skip
    methods = (SERIES, DIFFERENCE, RELAPSE)
    causes = _listed(action["causes"])
    in_scope = np.isin(table.units, _listed(action["units"]))
    reason = None
    if action["action_status"] == "cancelled":
        reason = "cancelled"
    elif action["started_on"] is None or action["done_on"] is None or action["done_on"] > table.last:
        reason = "not_done"
    elif not causes:
        reason = "cause_unknown"
    elif not in_scope.any():
        reason = "no_unit_in_scope"
    if reason:
        return [common | {"method": method, "reason": reason} for method in methods]
    start, done = ((action[name] - table.first).days for name in ("started_on", "done_on"))
    window, with_start = _window(
        start,
        max(done, 0),
        (table.last - table.first).days,
        dip=dip_days,
        length=length,
        periods=max(compared_days // length, 2),
    )
    after = window.after
    common |= {
        "is_start_in_before": with_start,
        "periods_before": int((~after).sum()),
        "periods_after": int(after.sum()),
    }
    common["is_final"] = done + compared_days <= table.size
    if after.sum() < 2 or (~after).sum() < 2:
        reason = "too_short_before" if (~after).sum() < 2 else "too_short_after"
        return [common | {"method": method, "reason": reason} for method in methods]
    left_out = _disturbed(action, actions, table, window) & ~in_scope
    outside = ~in_scope & ~left_out
    is_ours = table.is_of(causes, action["cause_basis"])
    counts, others_of = table.periods(window, table.complaints.select(is_ours.alias("ours"))["ours"])
    exposure, base = window.of(table.exposure), "customers"
    # Units without complaints of any kind and without customers are no units of comparison.
    seen = (counts.sum(axis=1) + others_of.sum(axis=(0, 2)) > 0) | (exposure.sum(axis=1) > 0)
    inside, outside = in_scope & seen, outside & seen
    if (exposure[inside].sum(axis=0) <= 0).any() or (outside.any() and (exposure[outside].sum(axis=0) <= 0).any()):
        exposure, base = np.full_like(counts, float(length)), "days"
    else:
        exposure = exposure + 1e-9
    day = pl.date_range(table.first, table.last, eager=True).to_list()
    common |= {
        "complaints_before": int(counts[inside][:, ~after].sum()), "complaints_after": int(counts[inside][:, after].sum()),
        "others_before": int(counts[outside][:, ~after].sum()), "others_after": int(counts[outside][:, after].sum()),
        "units_in_scope": int(inside.sum()), "units_outside": int(outside.sum()), "units_left_out": int((left_out & seen).sum()), "base": base,
        "before_from": day[window.starts[0]], "before_until": day[window.starts[~after][-1] + length - 1],
        "after_from": day[window.starts[after][0]], "after_until": day[window.starts[-1] + length - 1],
    }  # fmt: skip
    if counts[inside].sum() < minimum:
        return [common | {"method": method, "reason": "too_few_complaints"} for method in methods]
    both = inside | outside
    here, c, e = inside[both], counts[both], exposure[both]
    others = [one[both] for one in others_of if one[both][here].sum() >= minimum]
    rows = [
        common
        | _series_row(c[here].sum(axis=0), e[here].sum(axis=0), after, [one[here].sum(axis=0) for one in others]),
        common | _difference_row(c, e, here, after, others, length),
    ]
    late = np.arange(int(after.sum())) >= int(after.sum()) // 2
    wear: dict[str, Any] = {"reason": "too_short_after"}
    if after.sum() >= 4:
        wear = _difference_row(c[:, after], e[:, after], here, late, [], length)
    rows.append(common | wear | {"method": RELAPSE, "months_needed": None})
    return rows


def _disturbed(action: dict[str, Any], actions: pl.DataFrame, table: _Table, window: _Window) -> Flags:
    """Units that had another action on one of the causes within the time compared."""
    found = np.zeros(len(table.units), dtype=bool)
    causes = set(_listed(action["causes"]))
    first, last = int(window.starts[0]), int(window.starts[-1]) + window.length
    for other in actions.iter_rows(named=True):
        same = (other["source"], other["improvement_action_id"]) == (action["source"], action["improvement_action_id"])
        if (
            same
            or other["started_on"] is None
            or other["action_status"] == "cancelled"
            or not causes & set(_listed(other["causes"]))
        ):
            continue
        begun = (other["started_on"] - table.first).days
        ended = (other["done_on"] - table.first).days if other["done_on"] else table.size
        if begun < last and ended >= first:
            found |= np.isin(table.units, _listed(other["units"]))
    return found


def _numbers(found: Estimate) -> dict[str, Any]:
    return {
        "rate_ratio": math.exp(found.log_ratio), "ratio_low": math.exp(found.log_ratio - found.half), "ratio_high": math.exp(found.log_ratio + found.half),
        "detectable_ratio": found.detectable, "dispersion": found.dispersion,
    }  # fmt: skip


def _verdict(found: Estimate, placebos: list[tuple[int, int]], share: float | None) -> str:
    if not found.is_significant:
        return "not_seen"
    if any(_surprising(hits, tests) for hits, tests in placebos) or (share is not None and share > _DOUBT):
        return "doubtful"
    return "fell" if found.log_ratio < 0 else "rose"


def _other_dates(after: Flags) -> list[tuple[Flags, Flags]]:
    """Periods to use and whether each is after, for every other day with two periods on either side, within the time before and within that after."""
    found = []
    for side in (~after, after):
        places = np.flatnonzero(side)
        for cut in range(2, len(places) - 1):
            found.append((side, np.arange(len(places)) >= cut))
    return found


def _series_row(counts: Floats, exposure: Floats, after: Flags, others: list[Floats]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "method": SERIES,
        "others_before": None,
        "others_after": None,
        "units_outside": None,
        "units_left_out": None,
    }
    found = interrupted(counts, exposure, after)
    if found is None:
        return row | {"reason": "too_few_complaints"}
    dates = [interrupted(counts[use], exposure[use], late) for use, late in _other_dates(after)]
    causes = [interrupted(one, exposure, after) for one in others]
    return row | _numbers(found) | _placebos(found, dates, causes, None)


def _placebos(
    found: Estimate, dates: list[Estimate | None], causes: list[Estimate | None], share: float | None
) -> dict[str, Any]:
    tested = [[one.is_significant for one in group if one is not None] for group in (dates, causes)]
    return {
        "placebo_dates": len(tested[0]), "placebo_dates_significant": sum(tested[0]),
        "placebo_causes": len(tested[1]), "placebo_causes_significant": sum(tested[1]),
        "verdict": _verdict(found, [(sum(group), len(group)) for group in tested], share),
    }  # fmt: skip


def _difference_row(
    counts: Floats, exposure: Floats, in_scope: Flags, after: Flags, others: list[Floats], length: int
) -> dict[str, Any]:
    row: dict[str, Any] = {"method": DIFFERENCE}
    if in_scope.all():
        return row | {"reason": "no_units_outside"}
    found = difference(counts, exposure, in_scope, after)
    if found is None:
        return row | {"reason": "too_few_complaints"}
    dates = [difference(counts[:, use], exposure[:, use], in_scope, late) for use, late in _other_dates(after)]
    causes = [difference(one, exposure, in_scope, after) for one in others]
    draws, share = _other_units(found, counts[~in_scope], exposure[~in_scope], int(in_scope.sum()), after)
    sums = np.array([[counts[g][:, t].sum() for t in (~after, after)] for g in (in_scope, ~in_scope)])
    periods = (int((~after).sum()), int(after.sum()))
    return (
        row
        | _numbers(found)
        | {
            "months_needed": months_needed(found, sums, periods, length),
            "placebo_units": draws,
            "placebo_units_share": share,
        }
        | _placebos(found, dates, causes, share)
    )


def _other_units(
    found: Estimate, counts: Floats, exposure: Floats, size: int, after: Flags
) -> tuple[int, float | None]:
    """Groups of the units outside, taken for the scope; their number, and the share of groups that changed at least as much, the action's own counted in."""
    units = len(counts)
    size = min(size, units // 2)
    if units < 6 or size < 1:
        return 0, None
    random = np.random.default_rng(_SEED)
    as_much = tests = 0
    for _ in range(_DRAWS):
        chosen = np.zeros(units, dtype=bool)
        chosen[random.permutation(units)[:size]] = True
        one = difference(counts, exposure, chosen, after, with_error=False)
        if one is not None:
            tests += 1
            as_much += abs(one.log_ratio) >= abs(found.log_ratio)
    return tests, (1 + as_much) / (1 + tests)
