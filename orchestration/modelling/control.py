"""Control charts: limits, rules, and a judge of hundreds of charts that keeps to a budget of false alarms.

Belongs here: the published limits (p, Laney p', u, Laney u', c, XmR, g), the rules of Nelson and of Western Electric and how often chance
breaks them, and `judge`, which scores each day of each chart against its own frozen baseline. Does not belong here: which
metrics have charts, alerts, targets (seeds and marts).

Two readings stand side by side. `broken_rules` reads a chart as the books do: 3 sigma, runs. `judge` says *signal* only where the chance of it
stays within a stated number of false alarms a month over all charts; its tails are those of counts (incomplete beta and gamma
functions), because at 20 tickets a day a normal tail beyond 4 sigma is wrong by a factor of ten.

Sources: W. A. Shewhart, *Economic Control of Quality*, 1931 (p, u, c); L. S. Nelson, "The Shewhart control chart: tests for special causes",
*J. Quality Technology* 16(4), 1984 (eight rules); Western Electric, *Statistical Quality Control Handbook*, 1956 (four rules);
D. B. Laney, "Improved control charts for attributes", *Quality Engineering* 14(4), 2002 (p', u'); D. J. Wheeler, *Understanding
Variation*, 1993 (XmR: 2.66 and 3.268); J. C. Benneyan, "Number-between g-type statistical quality control charts", *Health Care
Management Science* 4, 2001 (g); C. W. Champ and W. H. Woodall, "Exact results for Shewhart control charts with supplementary runs
rules", *Technometrics* 29(4), 1987 (run lengths); J. N. K. Rao and A. J. Scott, "A simple method for the analysis of clustered
binary data", *Biometrics* 48, 1992 (counts divided by their overdispersion); R. DerSimonian and N. Laird, *Controlled Clinical Trials* 7,
1986 (variance between classes, by which the weekday pattern is shrunk).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

MODEL_VERSION = "control-2"
CHART_KINDS = ("p", "laney_p", "u", "laney_u", "c", "xmr")
"""Kinds that `judge` reads day by day."""
RARE_KIND = "g"
"""A g chart has a point per event, not per day: `judge_rare`."""

D2, D4, E2 = 1.128, 3.268, 2.66
"""Of moving ranges of two: mean range / sigma, upper limit of the range / mean range, 3 / D2."""
DAYS_A_MONTH = 30.4375
_FREEDOM = 0.605
"""Degrees of freedom of a mean moving range per range: its efficiency against the standard deviation (Cryer and Ryan, *JQT* 22, 1990)."""
_CLASSES = 8
"""Monday to Sunday, and 8 = a day off by the calendar."""


@dataclass(frozen=True)
class Limits:
    """Centre, sigma and limits per point; all have the shape of the points. NaN where there is no base."""

    value: Floats
    centre: Floats
    sigma: Floats
    lower: Floats
    upper: Floats

    @property
    def z(self) -> Floats:
        """Distance from the centre in sigmas."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.sigma > 0, (self.value - self.centre) / self.sigma, np.nan)


def _counts(name: str, values: ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if (found < 0).any():
        raise ValueError(f"{name}: {found[found < 0].flat[0]:g} is below 0")
    return found


def _pair(events: ArrayLike, base: ArrayLike, *, at_most_base: bool) -> tuple[Floats, Floats, Floats]:
    x, n = np.broadcast_arrays(_counts("events", events), _counts("base", base))
    if at_most_base and (x > n).any():
        at = np.unravel_index(np.argmax(x > n), x.shape)
        raise ValueError(f"events: {x[at]:g} are more than their base of {n[at]:g}")
    n = np.where(n > 0, n, np.nan)
    return x, n, x / n


def _mean_range(values: Floats) -> Floats:
    """Mean absolute difference of neighbours along the last axis, points without a value stepped over; shape (..., 1)."""
    packed, _ = _packed(values)
    steps = np.abs(np.diff(packed, axis=-1))
    many = (~np.isnan(steps)).sum(axis=-1, keepdims=True)
    return np.where(many > 0, np.nansum(steps, axis=-1, keepdims=True) / np.maximum(many, 1), np.nan)


def p_limits(events: ArrayLike, base: ArrayLike, *, width: float = 3.0) -> Limits:
    """p chart: share of the base per point, axis -1 in time. Limits cut at 0 and 1. ValueError where events exceed the base."""
    x, n, share = _pair(events, base, at_most_base=True)
    centre = np.broadcast_to(np.nansum(np.where(np.isnan(n), 0, x), -1, keepdims=True) / _some(n), x.shape)
    sigma = np.sqrt(centre * (1 - centre) / n)
    return Limits(
        share, centre, sigma, np.maximum(centre - width * sigma, 0.0), np.minimum(centre + width * sigma, 1.0)
    )


def laney_p_limits(events: ArrayLike, base: ArrayLike, *, width: float = 3.0) -> Limits:
    """Laney's p': the p chart with its sigmas times the spread of its z scores between neighbours (mean moving range / 1.128)."""
    plain = p_limits(events, base, width=width)
    sigma = plain.sigma * _mean_range(plain.z) / D2
    return Limits(
        plain.value, plain.centre, sigma, np.maximum(plain.centre - width * sigma, 0.0),
        np.minimum(plain.centre + width * sigma, 1.0),
    )  # fmt: skip


def u_limits(events: ArrayLike, base: ArrayLike, *, width: float = 3.0) -> Limits:
    """u chart: events per unit of base, which may be any exposure. Lower limit cut at 0."""
    x, n, rate = _pair(events, base, at_most_base=False)
    centre = np.broadcast_to(np.nansum(np.where(np.isnan(n), 0, x), -1, keepdims=True) / _some(n), x.shape)
    sigma = np.sqrt(centre / n)
    return Limits(rate, centre, sigma, np.maximum(centre - width * sigma, 0.0), centre + width * sigma)


def laney_u_limits(events: ArrayLike, base: ArrayLike, *, width: float = 3.0) -> Limits:
    """Laney's u': as p', over the u chart."""
    plain = u_limits(events, base, width=width)
    sigma = plain.sigma * _mean_range(plain.z) / D2
    return Limits(
        plain.value, plain.centre, sigma, np.maximum(plain.centre - width * sigma, 0.0), plain.centre + width * sigma
    )


def c_limits(events: ArrayLike, *, width: float = 3.0) -> Limits:
    """c chart: events per point of equal exposure."""
    return u_limits(events, np.ones_like(np.asarray(events, dtype=np.float64)), width=width)


def xmr_limits(values: ArrayLike) -> tuple[Limits, Limits]:
    """XmR: limits of the individuals (mean ± 2.66 mean ranges) and of the moving ranges (0 to 3.268 mean ranges).

    The range of a point is that to the point before it; the first has none.
    """
    x = np.asarray(values, dtype=np.float64)
    spread = _mean_range(x)
    centre = np.broadcast_to(_mean(x), x.shape)
    sigma = np.broadcast_to(spread / D2, x.shape)
    ranges = np.concatenate([np.full((*x.shape[:-1], 1), np.nan), np.abs(np.diff(x, axis=-1))], axis=-1)
    of_ranges = np.broadcast_to(spread, x.shape)
    return (
        Limits(x, centre, sigma, centre - E2 * spread, centre + E2 * spread),
        Limits(ranges, of_ranges, of_ranges * (D4 - 1) / 3, np.zeros_like(x), of_ranges * D4),
    )


def g_limits(between: ArrayLike, *, width: float = 3.0) -> Limits:
    """g chart: days or contacts *between* two events (0 = the very next one); sigma = sqrt(mean (mean + 1)), lower limit cut at 0."""
    x = _counts("between", between)
    centre = np.broadcast_to(_mean(x), x.shape)
    sigma = np.sqrt(centre * (centre + 1))
    return Limits(x, centre, sigma, np.maximum(centre - width * sigma, 0.0), centre + width * sigma)


def _some(base: Floats) -> Floats:
    total = np.nansum(base, axis=-1, keepdims=True)
    return np.where(total > 0, total, np.nan)


def _mean(values: Floats) -> Floats:
    many = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    return np.where(many > 0, np.nansum(values, axis=-1, keepdims=True) / np.maximum(many, 1), np.nan)


# --- rules ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """One rule: broken at a point that belongs to the pattern, when `need` of the last `window` points show it.

    `chance`: how often a point of independent normal values breaks it, in the long run.
    """

    name: str
    window: int
    need: int
    chance: float


def _normal_tail(z: float) -> float:
    return float(special.ndtr(-z))


def _pattern_chance(beyond: float, others: int, need: int) -> float:
    """Two-sided: the point itself is beyond, and at least `need` of `others` before it on the same side."""
    p = _normal_tail(beyond)
    return 2 * p * float(special.bdtrc(need - 1, others, p))


_ZIGZAG_14 = 199360981
"""Alternating permutations of 14 that begin with a rise (Euler)."""

NELSON: tuple[Rule, ...] = (
    Rule("1", 1, 1, 2 * _normal_tail(3)),
    Rule("2", 9, 9, 2 * 0.5**9),
    Rule("3", 6, 6, 2 / 720),
    Rule("4", 14, 14, 2 * _ZIGZAG_14 / 87178291200),
    Rule("5", 3, 2, _pattern_chance(2, 2, 1)),
    Rule("6", 5, 4, _pattern_chance(1, 4, 3)),
    Rule("7", 15, 15, (1 - 2 * _normal_tail(1)) ** 15),
    Rule("8", 8, 8, (2 * _normal_tail(1)) ** 8),
)
"""1 beyond 3 sigma; 2 nine on one side; 3 six rising or falling; 4 fourteen alternating; 5 two of three beyond 2 sigma; 6 four of five
beyond 1 sigma; 7 fifteen within 1 sigma; 8 eight outside 1 sigma on either side."""

WESTERN_ELECTRIC: tuple[Rule, ...] = (NELSON[0], NELSON[4], NELSON[5], Rule("run of 8", 8, 8, 2 * 0.5**8))
"""Beyond 3 sigma; two of three beyond 2; four of five beyond 1; eight on one side."""


def _packed(values: Floats) -> tuple[Floats, Integers]:
    """The points that have a value moved to the front of the last axis, and the order that does it."""
    order = np.argsort(np.isnan(values), axis=-1, kind="stable")
    return np.take_along_axis(values, order, axis=-1), order


def _in_window(flags: Booleans, window: int) -> Integers:
    """How many of the last `window` points (or fewer, at the start) have the flag."""
    total = np.cumsum(flags, axis=-1, dtype=np.int64)
    before = np.zeros_like(total)
    if window < total.shape[-1]:
        before[..., window:] = total[..., :-window]
    return total - before


def _at_least(flags: Booleans, rule: Rule) -> Booleans:
    return flags & (_in_window(flags, rule.window) >= rule.need)


def broken_rules(z: ArrayLike, rules: Sequence[Rule] = NELSON) -> Booleans:
    """Which points break which rules.

    Args:
        z: distances from the centre in sigmas, axis -1 in time; NaN = not judged, stepped over. A point on the centre line
            (0) is on no side: it breaks a run. A point on a sigma line is neither beyond nor within it.

    Returns:
        Array of shape (rules, ...z).
    """
    values = np.atleast_1d(np.asarray(z, dtype=np.float64))
    packed, order = _packed(values)
    here = ~np.isnan(packed)
    found = np.zeros((len(rules), *values.shape), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        step = np.sign(np.diff(packed, axis=-1, prepend=np.nan))
        turn = step * np.concatenate([np.full((*step.shape[:-1], 1), np.nan), step[..., :-1]], axis=-1) < 0
        for index, rule in enumerate(rules):
            if rule.name == "3":
                ramp = Rule(rule.name, rule.window - 1, rule.need - 1, rule.chance)
                flags = _at_least(step > 0, ramp) | _at_least(step < 0, ramp)
            elif rule.name == "4":
                flags = _at_least(turn, Rule(rule.name, rule.window - 2, rule.need - 2, rule.chance))
            elif rule.name == "7":
                flags = _at_least(np.abs(packed) < 1, rule)
            elif rule.name == "8":
                flags = _at_least(np.abs(packed) > 1, rule)
            else:
                beyond = {"1": 3.0, "5": 2.0, "6": 1.0}.get(rule.name, 0.0)
                flags = _at_least(packed > beyond, rule) | _at_least(packed < -beyond, rule)
            np.put_along_axis(found[index], order, flags & here, axis=-1)
    return found


def expected_false_alarms(points: int, rules: Sequence[Rule] = NELSON) -> Mapping[str, float]:
    """Points of `points` independent normal ones that chance makes break each rule. Sums over rules count a point twice
    that breaks two."""
    return {rule.name: points * rule.chance for rule in rules}


# --- the judge --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Budget:
    """How `judge` keeps false alarms few. Read from seeds/service_thresholds.csv.

    Attributes:
        baseline_weeks: complete weeks (Monday to Sunday) from the first day of a chart that freeze its limits.
        baseline_points: judged days that a baseline must have at least.
        false_alarms_a_month: expected over all charts together.
        run_share: part of them that runs on one side may use; the rest is for single days.
        trim: days of the baseline further from its centre than so many sigmas are left out of it.
        rare_events: last events over which a g chart takes the rate.
        rare_baseline: first events of a g chart that freeze its rate.
        rare_share: part of the false alarms that g charts may use, where there are any.
    """

    baseline_weeks: int = 12
    baseline_points: int = 40
    false_alarms_a_month: float = 1.0
    run_share: float = 0.5
    trim: float = 3.5
    rare_events: int = 3
    rare_baseline: int = 12
    rare_share: float = 0.1

    def __post_init__(self) -> None:
        if self.baseline_weeks < 1 or self.baseline_points < 2:
            raise ValueError(f"a baseline of {self.baseline_weeks} weeks and {self.baseline_points} days is too short")
        if not self.false_alarms_a_month > 0 or not 0 <= self.run_share < 1 or not self.trim > 0:
            raise ValueError(
                f"false_alarms_a_month {self.false_alarms_a_month:g}, run_share {self.run_share:g}, trim {self.trim:g}:"
                " above 0, from 0 to below 1, above 0"
            )
        if self.rare_events < 1 or self.rare_baseline < 2 or not 0 < self.rare_share < 1:
            raise ValueError(
                f"rare_events {self.rare_events}, rare_baseline {self.rare_baseline}, rare_share {self.rare_share:g}:"
                " at least 1, at least 2, between 0 and 1"
            )


DEFAULT_BUDGET = Budget()

POINT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "chart_id": pl.Utf8,
    "day": pl.Date,
    "value": pl.Float64,
    "centre": pl.Float64,
    "sigma": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "score": pl.Float64,
    "side": pl.Int32,
    "tail_chance": pl.Float64,
    "run_chance": pl.Float64,
    "signal_chance": pl.Float64,
    "rules": pl.Utf8,
    "is_baseline": pl.Boolean,
    "is_judged": pl.Boolean,
    "not_judged_reason": pl.Utf8,
    "is_point_signal": pl.Boolean,
    "is_run_signal": pl.Boolean,
    "expected_false_alarms": pl.Float64,
    "model_version": pl.Utf8,
    "as_of": pl.Date,
}
"""`score`: distance from the centre in standard deviations of a normal value with the same chance. `signal_chance`: threshold of
`tail_chance` (two-sided) and of `run_chance` that day. `expected_false_alarms`: of this chart on this day."""

NEEDED = (
    "chart_id",
    "chart_kind",
    "pattern_of",
    "day",
    "day_class",
    "numerator",
    "denominator",
    "minimum_base",
    "is_final",
)
_LOOSEST = 2 * float(special.ndtr(-3.0))
"""However few the charts, no limit is closer than 3 sigma."""


@dataclass
class _Panel:
    """Charts x days. `x` events, `n` base (NaN without one)."""

    kind: NDArray[np.str_]
    parent: Integers
    x: Floats
    n: Floats
    minimum: Floats
    final: Booleans
    day_class: Integers
    baseline: Booleans
    complete: Booleans

    @property
    def is_share(self) -> Booleans:
        return np.isin(self.kind, ["p", "laney_p"])

    @property
    def is_value(self) -> Booleans:
        return self.kind == "xmr"


def judge(points: pl.DataFrame, budget: Budget = DEFAULT_BUDGET) -> pl.DataFrame:
    """Score every day of every chart against its own frozen baseline.

    Baseline: the first `baseline_weeks` complete weeks from the first Monday on which the chart has a base; in it, days beyond `trim` sigmas are
    dropped and limits taken anew, at most four times. What comes later never changes it. It gives the centre, a pattern of weekdays
    and days off (shares: on the logit scale; rates: factors; values: differences; the pattern of `pattern_of` is the
    prior, and each chart's own departure from it is shrunk by the variance between classes), and for laney_p, laney_u and xmr
    the spread between neighbouring days, never below that of the counts alone.

    A signal: (a) a day whose two-sided chance is below `signal_chance`, or (b) a run on one side whose chance, the product of the
    chances of its days to fall there, is below it. `signal_chance` is the budget divided by the days that all charts with a
    complete baseline judge in a month, as of that day: it changes when a chart comes in, never when a day does.
    The error of the centre and of the spread are in the chances (Student; centre at the edge of its error for runs).

    Args:
        points: one row per chart and day with the columns `NEEDED`; `pattern_of`: chart whose pattern is the prior (its own id or
            null = none); `day_class` 1 to 7 = weekday, 8 = day off; `is_final` false = still growing. Rows in any order.

    Returns:
        One row per input row, `POINT_SCHEMA`, sorted by chart and day.

    Raises:
        ValueError: a column is missing, a kind is unknown, a key is twice there, or a count is impossible.
    """
    missing = [name for name in NEEDED if name not in points.columns]
    if missing:
        raise ValueError(f"points: no column {', '.join(missing)}")
    if points.is_empty():
        return pl.DataFrame(schema=POINT_SCHEMA)
    points = points.sort("chart_id", "day")
    if points.select(pl.struct("chart_id", "day").is_duplicated().any()).item():
        raise ValueError("points: a chart has a day twice")
    unknown = set(points["chart_kind"].unique()) - set(CHART_KINDS)
    if unknown:
        raise ValueError(f"chart_kind: {sorted(unknown, key=str)} is none of {', '.join(CHART_KINDS)}")
    charts = points.group_by("chart_id", maintain_order=True).agg(pl.col("chart_kind", "pattern_of").first())
    panel, rows, columns = _panel(points, charts, budget)
    found = _judged(panel, budget)
    flat = {name: values[rows, columns] for name, values in found.items()}
    as_of = points["day"].max()
    result = points.select("chart_id", "day").with_columns(
        *(pl.Series(name, flat[name]) for name in flat if name not in ("rules", "reason")),
        _rule_names().gather(flat["rules"]).alias("rules"),
        _REASONS.gather(flat["reason"]).alias("not_judged_reason"),
        pl.lit(MODEL_VERSION).alias("model_version"),
        pl.lit(as_of).alias("as_of"),
    )
    floats = [name for name, kind in POINT_SCHEMA.items() if kind == pl.Float64]
    return result.with_columns(pl.col(floats).fill_nan(None)).select(
        pl.col(name).cast(kind) for name, kind in POINT_SCHEMA.items()
    )


_REASONS = pl.Series(
    [None, "no_base", "small_base", "not_final", "no_baseline", "in_baseline", "no_event"], dtype=pl.Utf8
)


def _rule_names() -> pl.Series:
    """Names of the rules broken, by the bit mask of Nelson's eight."""
    return pl.Series(
        [",".join(str(bit + 1) for bit in range(8) if mask >> bit & 1) or None for mask in range(256)], dtype=pl.Utf8
    )


def _panel(points: pl.DataFrame, charts: pl.DataFrame, budget: Budget) -> tuple[_Panel, Integers, Integers]:
    index = {name: at for at, name in enumerate(charts["chart_id"])}
    days = points["day"].to_physical().to_numpy().astype(np.int64)
    first, last = int(days.min()), int(days.max())
    rows = points["chart_id"].replace_strict(index, return_dtype=pl.Int64).to_numpy()
    columns = days - first
    shape = (len(index), last - first + 1)

    def grid(name: str, empty: float) -> Floats:
        found = np.full(shape, empty)
        found[rows, columns] = points[name].cast(pl.Float64).fill_null(empty).to_numpy()
        return found

    x, n = grid("numerator", 0.0), grid("denominator", 0.0)
    kinds = charts["chart_kind"].to_numpy().astype(str)
    if (n < 0).any() or (x[kinds != "xmr"] < 0).any():
        raise ValueError("points: a count is below 0")
    share = np.isin(kinds, ["p", "laney_p"])
    if (x[share] > n[share]).any():
        raise ValueError("points: a share has more events than its base")
    n = np.where(n > 0, n, np.nan)
    day_class = np.zeros(shape, dtype=np.int64)
    day_class[rows, columns] = points["day_class"].cast(pl.Int64).to_numpy()
    final = np.zeros(shape, dtype=np.bool_)
    final[rows, columns] = points["is_final"].to_numpy()
    # 1970-01-01 was a Thursday: Mondays are the days d with (d + 3) % 7 = 0.
    has_base = ~np.isnan(n)
    begun = np.where(has_base.any(axis=1), np.argmax(has_base, axis=1), shape[1]) + first
    start = begun + (-(begun + 3)) % 7 - first
    end = start + 7 * budget.baseline_weeks
    at = np.arange(shape[1])
    baseline = (at >= start[:, None]) & (at < end[:, None])
    # Nothing of it may still be growing, or limits would move.
    last_final = np.where(final.any(axis=1), shape[1] - 1 - np.argmax(final[:, ::-1], axis=1), -1)
    complete = last_final >= end - 1
    parent = np.array(
        [index.get(of, at) if of is not None else at for at, of in enumerate(charts["pattern_of"])], dtype=np.int64
    )
    return (
        _Panel(kinds, parent, np.where(has_base, x, 0.0), n, grid("minimum_base", 0.0), final, day_class, baseline, complete),
        rows,
        columns,
    )  # fmt: skip


@dataclass
class _Baseline:
    """What a baseline gives each chart and day."""

    expected: Floats
    """Expected value per unit of base, charts x days."""
    spread: Floats
    """Of the z scores, per chart; for values: sigma of a day with the mean base."""
    class_error: Floats
    """Variance of the centre of a class as a multiple of that of one unit of base, charts x classes."""
    points: Integers
    """Judgeable days it has, per chart."""
    length: Integers
    usable: Booleans


def _class_sums(values: Floats, used: Booleans, day_class: Integers) -> Floats:
    """Sum over the used days of each class; charts x classes. All charts have the class of a day in common or not."""
    found = np.empty((values.shape[0], _CLASSES))
    kept = np.where(used, values, 0.0)
    for label in range(1, _CLASSES + 1):
        found[:, label - 1] = np.where(day_class == label, kept, 0.0).sum(axis=1)
    return found


def _shrunk(raw: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Departures of the classes, shrunk to 0 by DerSimonian and Laird's variance between them, and the share that each keeps."""
    weight = np.where(np.isfinite(variance) & (variance > 0), 1 / np.where(variance > 0, variance, 1.0), 0.0)
    total = weight.sum(axis=1, keepdims=True)
    mean = (weight * raw).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    spread = (weight * (raw - mean) ** 2).sum(axis=1, keepdims=True)
    freedom = np.maximum((weight > 0).sum(axis=1, keepdims=True) - 1, 0)
    scale = total - (weight**2).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    between = np.maximum(np.where(scale > 0, (spread - freedom) / np.where(scale > 0, scale, 1.0), 0.0), 0.0)
    kept = np.where(weight > 0, between / (between + np.where(weight > 0, variance, 1.0)), 0.0)
    return np.where(weight > 0, raw * kept, 0.0), kept


def _weeks_of_the_baseline(panel: _Panel, budget: Budget) -> _Panel:
    """The baselines alone, side by side: charts x (7 x weeks). Of one width whatever comes after, so that no digit of a sum changes when a day is added."""
    width = 7 * budget.baseline_weeks
    start = np.where(panel.baseline.any(axis=1), np.argmax(panel.baseline, axis=1), panel.x.shape[1])
    at = start[:, None] + np.arange(width)
    inside = at < panel.x.shape[1]
    at = np.minimum(at, panel.x.shape[1] - 1)

    def taken(values: NDArray[np.generic], empty: float) -> NDArray[np.generic]:
        return np.where(inside, np.take_along_axis(values, at, axis=1), empty)

    return _Panel(
        panel.kind, panel.parent, np.asarray(taken(panel.x, 0.0), dtype=np.float64), np.asarray(taken(panel.n, np.nan), dtype=np.float64),
        np.asarray(taken(panel.minimum, 0.0), dtype=np.float64), np.asarray(taken(panel.final, 0), dtype=np.bool_),
        np.asarray(taken(panel.day_class, 0), dtype=np.int64), inside, panel.complete,
    )  # fmt: skip


def _baseline(whole: _Panel, budget: Budget) -> _Baseline:
    panel = _weeks_of_the_baseline(whole, budget)
    value = panel.is_value[:, None]
    n = np.nan_to_num(panel.n)
    per_unit = np.where(n > 0, panel.x / np.where(n > 0, n, 1.0), 0.0)
    judgeable = panel.final & (n > 0) & (n >= panel.minimum)
    in_baseline = panel.final & (n > 0)
    dropped = np.zeros_like(judgeable)
    spread = np.ones(len(n))
    for turn in range(4):
        # A value has no size of its own: its days count alike, and only those that have enough base.
        used = np.where(value, judgeable, in_baseline) & ~dropped
        weight = np.where(value, 1.0, n)
        x_of = _class_sums(per_unit * weight, used, panel.day_class)
        n_of = _class_sums(weight, used, panel.day_class)
        by_class, spread, kept = _fit(panel, per_unit, n, used, judgeable & ~dropped, x_of, n_of, spread)
        z = _plain_z(panel, per_unit, n, _of_class(by_class, panel.day_class), spread)
        far = judgeable & (np.abs(z) > budget.trim * np.where(value[:, 0], 1.0, spread)[:, None]) & ~dropped
        if turn == 3 or (turn and not far.any()):  # the second turn knows the spread by which the pattern is shrunk
            break
        dropped |= far
    base = n_of.sum(axis=1)
    points = (judgeable & ~dropped).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = 1 / np.where(base > 0, base, np.nan)[:, None] + np.where(
            n_of > 0, kept / np.where(n_of > 0, n_of, 1.0), 0.0
        )
    events = x_of.sum(axis=1)
    usable = panel.complete & (points >= budget.baseline_points) & np.isfinite(spread)
    usable &= np.where(panel.is_value, spread > 0, events > 0) & ~(panel.is_share & (events >= base))
    return _Baseline(_of_class(by_class, whole.day_class), spread, error, points, whole.baseline.sum(axis=1), usable)


def _of_class(by_class: Floats, day_class: Integers) -> Floats:
    return np.take_along_axis(by_class, np.maximum(day_class - 1, 0), axis=1)


def _fit(
    panel: _Panel,
    per_unit: Floats,
    n: Floats,
    used: Booleans,
    judged: Booleans,
    x_of: Floats,
    n_of: Floats,
    last_spread: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Expected value per chart and class of days, spread per chart, and what of its pattern each class keeps."""
    share, value = panel.is_share[:, None], panel.is_value[:, None]
    total = n_of.sum(axis=1, keepdims=True)
    centre = x_of.sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    inside = np.clip(centre, 1e-9, 1 - 1e-9)
    above = np.maximum(centre, 1e-12)
    own = np.where(share, _logit((x_of + inside) / (n_of + 1)) - _logit(inside), 0.0)
    rate = (x_of + np.where(share | value, 0.0, 1.0)) / np.maximum(
        n_of + np.where(share | value, 0.0, 1 / above), 1e-12
    )
    own = np.where(~share & ~value, np.log(np.maximum(rate, 1e-12) / above), own)
    own = np.where(value, x_of / np.where(n_of > 0, n_of, 1.0) - centre, own)
    days = np.where(judged, per_unit, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        scatter = (_mean_range(days) / D2) ** 2
        variance = np.where(share, 1 / (n_of * inside * (1 - inside)), 1 / (n_of * above))
        variance = np.where(value, scatter / n_of, variance * np.nan_to_num(last_spread, nan=1.0)[:, None] ** 2)
    variance = np.where(n_of > 0, variance, np.inf)
    whole = panel.parent == np.arange(len(panel.parent))
    effect, kept = _shrunk(own, variance)
    prior = np.where(whole[:, None], 0.0, effect[panel.parent])
    # A value of another unit of measure is no prior: a chart's prior is of its own metric, so kinds agree.
    departure, own_kept = _shrunk(np.where(n_of > 0, own - prior, 0.0), variance)
    effect = np.where(whole[:, None], effect, prior + departure)
    kept = np.where(whole[:, None], kept, own_kept)
    level = np.where(share, _logit(inside), np.where(value, centre, np.log(above)))
    for _ in range(4):  # the level with which the days used add up to what they were
        by_class = np.where(
            share,
            special.expit(level + effect),
            np.where(value, level + effect, np.exp(np.minimum(level + effect, 50))),
        )
        slope = np.where(share, by_class * (1 - by_class), np.where(value, 1.0, by_class))
        missing = (x_of - n_of * by_class).sum(axis=1, keepdims=True)
        level = level + missing / np.maximum((n_of * slope).sum(axis=1, keepdims=True), 1e-12)
    z = _plain_z(panel, per_unit, n, _of_class(by_class, panel.day_class), np.ones(len(n)))
    kept_z = np.where(judged, z, np.nan)
    between = np.fmax(_mean_range(kept_z)[:, 0] / D2, np.sqrt(_mean(kept_z**2)[:, 0]))
    counted = np.isin(panel.kind, ["laney_p", "laney_u"])
    spread = np.where(counted, np.maximum(between, 1.0), np.where(panel.is_value, between, 1.0))
    return by_class, spread, kept


def _logit(share: Floats) -> Floats:
    inside = np.clip(share, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside / (1 - inside)))


def _plain_z(panel: _Panel, per_unit: Floats, n: Floats, expected: Floats, spread: Floats) -> Floats:
    """z of the counts alone; of values: in units of `spread`."""
    share, value = panel.is_share[:, None], panel.is_value[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.sqrt(np.where(share, expected * (1 - expected), expected) / n)
        sigma = np.where(value, spread[:, None], sigma)
        return np.where((n > 0) & (sigma > 0), (per_unit - expected) / sigma, np.nan)


def _upper_chance(share: Booleans, x: Floats, n: Floats, rate: Floats) -> Floats:
    """P(X >= x) of counts that may be divided by their overdispersion: incomplete beta and gamma functions of real arguments."""
    found = np.ones_like(x)
    some = x > 0
    of_share, of_rate = some & share, some & ~share
    found[of_share] = special.betainc(x[of_share], np.maximum(n[of_share] - x[of_share], 0.0) + 1.0, rate[of_share])
    found[of_rate] = special.gammainc(x[of_rate], (n * rate)[of_rate])
    return found


def _lower_chance(share: Booleans, x: Floats, n: Floats, rate: Floats) -> Floats:
    """P(X <= x)."""
    found = np.ones_like(x)
    of_share, of_rate = (share & (x < n)), ~share
    x_floor = np.maximum(x, 0.0)
    found[of_share] = special.betainc((n - x_floor)[of_share], x_floor[of_share] + 1.0, 1.0 - rate[of_share])
    found[of_rate] = special.gammaincc(x_floor[of_rate] + 1.0, (n * rate)[of_rate])
    return np.where(x < 0, 0.0, found)


def _judged(panel: _Panel, budget: Budget) -> dict[str, NDArray[np.generic]]:
    """All columns of the result as charts x days."""
    frozen = _baseline(panel, budget)
    n = np.nan_to_num(panel.n)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(n > 0, panel.x / np.where(n > 0, n, 1.0), np.nan)
    has_baseline = np.broadcast_to(frozen.usable[:, None], n.shape)
    small = n < panel.minimum
    at = np.arange(n.shape[1])
    end = np.argmax(panel.baseline, axis=1) + frozen.length
    after = at >= end[:, None]
    judged = (n > 0) & ~small & panel.final & has_baseline & after
    reason = np.select(
        [n <= 0, ~panel.final, small, ~has_baseline, ~after],
        [1, 3, 2, 4, 5],
        default=0,
    )
    alpha = _signal_chances(frozen, end, budget, n.shape[1])
    two_sided = np.minimum(alpha * (1 - budget.run_share), _LOOSEST)
    run_level = np.minimum(alpha * budget.run_share, _LOOSEST)

    shown = (n > 0) & ~small & panel.final & has_baseline  # the baseline itself is scored too, for the eye
    spread = np.broadcast_to(frozen.spread[:, None], n.shape)
    error = np.take_along_axis(frozen.class_error, np.maximum(panel.day_class - 1, 0), axis=1)
    share = np.broadcast_to(panel.is_share[:, None], n.shape)
    values = np.broadcast_to(panel.is_value[:, None], n.shape)
    freedom = np.broadcast_to(np.maximum(_FREEDOM * (frozen.points - 1), 1.0)[:, None], n.shape)
    level = np.broadcast_to(two_sided[None, :], n.shape)
    limits = {
        name: np.full(n.shape, np.nan) for name in ("lower", "upper", "score", "sigma", "tail_chance", "side_chance")
    }
    for part in (shown & ~values, shown & values):
        if not part.any():
            continue
        scored = (_scores_of_values if part is not None and values[part][0] else _scores_of_counts)(
            panel.x[part],
            n[part],
            frozen.expected[part],
            spread[part],
            error[part],
            share[part],
            freedom[part],
            level[part],
        )
        for name, found in scored.items():
            limits[name][part] = found
    side = np.where(judged, np.sign(value - frozen.expected), 0.0)
    side = np.where(np.abs(value - frozen.expected) <= 1e-12 * np.maximum(np.abs(value), 1e-12), 0.0, side)
    run = _run_chances(judged, side, limits["side_chance"])
    is_point = judged & (limits["tail_chance"] < level)
    is_run = judged & (run <= run_level[None, :])
    broken = broken_rules(np.where(judged, limits["score"], np.nan))
    mask = sum((broken[bit].astype(np.int64) << bit for bit in range(8)), start=np.zeros(n.shape, dtype=np.int64))
    per_day = np.where(judged, (two_sided + run_level)[None, :], 0.0)
    return {
        "value": value, "centre": np.where(has_baseline & (n > 0), frozen.expected, np.nan), "sigma": limits["sigma"],
        "lower": limits["lower"], "upper": limits["upper"], "score": limits["score"], "side": side.astype(np.int32),
        "tail_chance": limits["tail_chance"], "run_chance": np.where(judged & (side != 0), run, np.nan),
        "signal_chance": np.where(shown, level, np.nan), "rules": mask, "is_baseline": panel.baseline,
        "is_judged": judged, "reason": reason, "is_point_signal": is_point, "is_run_signal": is_run,
        "expected_false_alarms": per_day,
    }  # fmt: skip


def _signal_chances(frozen: _Baseline, end: Integers, budget: Budget, days: int) -> Floats:
    """Budget per judged day of a chart, by day: a chart counts from the day after its baseline, with the share of days its baseline could judge."""
    joins = np.zeros(days)
    usable = frozen.usable & (end < days)
    np.add.at(joins, end[usable], (frozen.points / np.maximum(frozen.length, 1))[usable])
    a_month = np.cumsum(joins) * DAYS_A_MONTH
    return np.where(a_month > 0, budget.false_alarms_a_month / np.where(a_month > 0, a_month, 1.0), 1.0)


def _student(z: Floats, freedom: Floats, estimated: Booleans) -> Floats:
    """Upper tail of a score whose sigma was estimated (Student) or not (normal)."""
    return np.where(estimated, special.stdtr(freedom, -z), special.ndtr(-z))


def _scores_of_counts(
    x: Floats, n: Floats, rate: Floats, spread: Floats, error: Floats, share: Booleans, freedom: Floats, level: Floats
) -> dict[str, Floats]:
    phi = spread**2
    estimated = spread > 1
    x_of, n_of = x / phi, n / phi
    widening = np.sqrt(1 + n * error)

    def upper_score(at: Floats) -> Floats:
        return np.asarray(-special.ndtri(np.clip(_upper_chance(share, at, n_of, rate), 1e-300, 1 - 1e-16))) / widening

    def lower_score(at: Floats) -> Floats:
        return np.asarray(special.ndtri(np.clip(_lower_chance(share, at, n_of, rate), 1e-300, 1 - 1e-16))) / widening

    up, low = upper_score(x_of), -lower_score(x_of)
    chance = np.minimum(2 * np.minimum(_student(up, freedom, estimated), _student(low, freedom, estimated)), 1.0)
    beyond = np.where(
        share & (x_of + 1 / phi > n_of),
        0.0,
        _upper_chance(share, np.minimum(x_of + 1 / phi, np.where(share, n_of, np.inf)), n_of, rate),
    )
    middle = (_upper_chance(share, x_of, n_of, rate) + beyond) / 2
    score = np.asarray(-special.ndtri(np.clip(middle, 1e-300, 1 - 1e-12))) / widening
    score = np.where(middle > 1 - 1e-9, -low, score)
    sigma_one = np.sqrt(np.where(share, rate * (1 - rate), rate) / n) * spread
    # Limits: the counts at which the two-sided chance reaches the level. Secants from a start with the skewness of the counts.
    wanted = np.where(estimated, -special.stdtrit(freedom, level / 2), -special.ndtri(level / 2))
    skew = np.where(share, 1 - 2 * rate, 1.0)
    scale = sigma_one * n / phi
    room = np.where(share, n_of, np.inf)
    bounds = {}
    for name, sign, function in (("upper", 1.0, upper_score), ("lower", -1.0, lower_score)):
        reach = wanted * widening
        guess = n_of * rate + sign * (reach * scale + 0.5) + skew * (reach**2 - 1) / 6
        guess = np.clip(guess, 1e-3, np.maximum(room - 1e-3, 1e-3))
        step = -sign * np.maximum(0.02 * scale, 1e-3)  # towards the centre: beyond a guess at the edge is nothing
        for _ in range(4):
            here = function(guess)
            slope = (function(guess + step) - here) / step
            move = (sign * wanted - here) / np.where(slope > 1e-9, slope, 1e-9)
            guess = np.clip(guess + np.clip(move, -3 * scale - 1, 3 * scale + 1), 1e-6, room)
        # A limit that no possible count passes is the edge itself.
        if sign > 0:
            none = share & (upper_score(n_of) < wanted)
            bounds[name] = np.where(none, 1.0, guess / np.where(n_of > 0, n_of, 1.0))
        else:
            none = lower_score(np.zeros_like(n_of)) > -wanted
            bounds[name] = np.where(none, 0.0, guess / np.where(n_of > 0, n_of, 1.0))
    # A run needs the chance of a day to fall on its side, with the centre at the edge of its own error.
    unsure = np.sqrt(error) * np.sqrt(np.where(share, rate * (1 - rate), rate)) * spread
    above = x > n * rate
    edge = np.where(above, rate + unsure, np.maximum(rate - unsure, 1e-12))
    edge = np.where(share, np.clip(edge, 1e-12, 1 - 1e-12), edge)
    first = (np.floor(n * rate + 1e-9) + 1) / phi
    last = np.maximum(np.ceil(n * rate - 1e-9) - 1, -1) / phi
    falls = np.where(
        above,
        _upper_chance(share, np.minimum(first, n_of), n_of, edge),
        _lower_chance(share, last, n_of, edge),
    )
    return {
        "score": score, "sigma": sigma_one, "tail_chance": chance, "upper": bounds["upper"], "lower": bounds["lower"],
        "side_chance": np.clip(falls, 1e-6, 1.0),
    }  # fmt: skip


def _scores_of_values(
    x: Floats, n: Floats, rate: Floats, spread: Floats, error: Floats, share: Booleans, freedom: Floats, level: Floats
) -> dict[str, Floats]:
    widening = np.sqrt(1 + error)
    score = (x / n - rate) / spread / widening
    estimated = np.ones_like(share)
    chance = 2 * _student(np.abs(score), freedom, estimated)
    wanted = -special.stdtrit(freedom, level / 2) * widening * spread
    falls = special.ndtr(np.sqrt(error))
    return {
        "score": score, "sigma": spread, "tail_chance": chance, "upper": rate + wanted, "lower": rate - wanted,
        "side_chance": falls,
    }  # fmt: skip


def _run_chances(judged: Booleans, side: Floats, falls: Floats) -> Floats:
    """Chance of the run on one side that each judged day ends: the product of its days' chances. 1 on the centre line."""
    packed, order = _packed(np.where(judged, side, np.nan))
    logs = np.take_along_axis(np.where(judged, np.log(np.where(np.isnan(falls), 1.0, falls)), 0.0), order, axis=1)
    found = np.zeros_like(packed)
    length = int(judged.sum(axis=1).max(initial=0))
    last_side, last = np.zeros(len(packed)), np.zeros(len(packed))
    for at in range(length):
        here = packed[:, at]
        goes_on = (here == last_side) & (here != 0)
        last = np.where(here == 0, 0.0, np.where(goes_on, last, 0.0) + logs[:, at])
        last = np.where(np.isnan(here), 0.0, last)
        last_side = here
        found[:, at] = last
    result = np.zeros_like(found)
    np.put_along_axis(result, order, found, axis=1)
    return np.exp(result)


# --- rare events ------------------------------------------------------------------------------------------------------------


def judge_all(points: pl.DataFrame, budget: Budget = DEFAULT_BUDGET) -> pl.DataFrame:
    """`judge` for charts of days and `judge_rare` for g charts, within one budget. Arguments, result and errors are theirs."""
    rare = points.filter(pl.col("chart_kind") == RARE_KIND)
    daily = points.filter(pl.col("chart_kind").ne_missing(RARE_KIND))
    if rare.is_empty():
        return judge(daily, budget)
    rest = replace(budget, false_alarms_a_month=budget.false_alarms_a_month * (1 - budget.rare_share))
    as_of = points["day"].max()
    return (
        pl.concat([judge(daily, rest), judge_rare(rare, budget)])
        .with_columns(as_of=pl.lit(as_of, dtype=pl.Date))
        .sort("chart_id", "day")
    )


def judge_rare(points: pl.DataFrame, budget: Budget = DEFAULT_BUDGET) -> pl.DataFrame:
    """Score every event of every g chart: opportunities (reviews, contacts) between events, against the chart's own first events.

    The rate of the last `rare_events` = k events (k / opportunities since the event before them) is compared with that of the first
    `rare_baseline` = m events. Events that come at random have (n / k) / (N / m) ~ F(2k, 2m), n and N being the opportunities: the chance of so
    many in so few is an incomplete beta function (Cox, *Biometrika* 40, 1953), and the error of the baseline is in it. Only windows wholly after
    the baseline are judged. Where on a day an event lies is not known: half of the day's opportunities count as before it. A limit of the textbook's g chart
    (mean plus 3 sigma, no lower one) would see only long calms; here a cluster is what raises the alarm.

    Each event has the chance `rare_share` of the budget, divided by the events that all g charts with a complete baseline may expect in a month.

    Args:
        points: as for `judge`; of kind g. numerator: events, denominator: opportunities.

    Returns:
        `POINT_SCHEMA`. `value`: that rate; `centre`: the baseline's; `lower`, `upper`: rates at which an event is a signal. A day without an event
        is not judged (`no_event`), and has no value.

    Raises:
        ValueError: a column is missing, a key is twice there, or events are more than their base.
    """
    missing = [name for name in NEEDED if name not in points.columns]
    if missing:
        raise ValueError(f"points: no column {', '.join(missing)}")
    if points.is_empty():
        return pl.DataFrame(schema=POINT_SCHEMA)
    points = points.sort("chart_id", "day")
    if points.select(pl.struct("chart_id", "day").is_duplicated().any()).item():
        raise ValueError("points: a chart has a day twice")
    if (points["numerator"] > points["denominator"]).any() or (points["numerator"] < 0).any():
        raise ValueError("points: a chart has more events than its base, or fewer than none")
    charts = [_rare_chart(part, budget) for part in points.partition_by("chart_id", maintain_order=True)]
    joins = sorted((chart.joins, chart.a_month) for chart in charts if chart.joins is not None)
    days = points["day"].to_physical().to_numpy().astype(np.int64)
    a_month = np.zeros(len(days))
    for day, events in joins:
        a_month += np.where(days >= day, events, 0.0)
    level = np.minimum(budget.false_alarms_a_month * budget.rare_share / np.where(a_month > 0, a_month, 1.0), _LOOSEST)
    columns = {name: np.concatenate([chart.columns[name] for chart in charts]) for name in charts[0].columns}
    judged = columns["reason"] == 0
    k, m = float(budget.rare_events), float(budget.rare_baseline)
    centre, opportunities = columns["centre"], columns["opportunities"]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = k / opportunities
        base = m / centre
        many = special.betainc(k, m, opportunities / (opportunities + base))
        score = -special.ndtri(np.clip(many, 1e-300, 1 - 1e-16))
        bounds = [k * m / (k * base) / special.fdtri(2 * k, 2 * m, chance) for chance in (level / 2, 1 - level / 2)]
    chance = np.minimum(2 * np.minimum(many, 1 - many), 1.0)
    signal = judged & (chance < level)
    nothing = pl.lit(None, dtype=pl.Float64)

    def shown(values: Floats) -> pl.Series:
        return pl.Series(np.where(judged, values, np.nan)).fill_nan(None)

    result = points.select("chart_id", "day").with_columns(
        value=shown(value), centre=pl.Series(centre).fill_nan(None), sigma=nothing, lower=shown(bounds[1]), upper=shown(bounds[0]),
        score=shown(score), side=pl.Series(np.where(judged, np.sign(value - centre), 0.0)), tail_chance=shown(chance), run_chance=nothing,
        signal_chance=shown(level), rules=pl.lit(None, dtype=pl.Utf8), is_baseline=pl.Series(columns["is_baseline"]),
        is_judged=pl.Series(judged), not_judged_reason=_REASONS.gather(columns["reason"]), is_point_signal=pl.Series(signal),
        is_run_signal=pl.lit(False), expected_false_alarms=pl.Series(np.where(judged, level, 0.0)),
        model_version=pl.lit(MODEL_VERSION), as_of=pl.lit(points["day"].max(), dtype=pl.Date),
    )  # fmt: skip
    return result.select(pl.col(name).cast(kind) for name, kind in POINT_SCHEMA.items())


@dataclass(frozen=True)
class _RareChart:
    """One g chart; arrays have a value a row. `joins`: day after its baseline (None = it has none), `a_month`: events to expect from then on."""

    joins: int | None
    a_month: float
    columns: dict[str, NDArray[np.generic]]


def _rare_chart(part: pl.DataFrame, budget: Budget) -> _RareChart:
    days = part["day"].to_physical().to_numpy().astype(np.int64)
    final = part["is_final"].to_numpy()
    events = np.where(final, part["numerator"].to_numpy(), 0).astype(np.int64)
    base = part["denominator"].cast(pl.Float64).fill_null(0.0).to_numpy()
    # Opportunities up to the middle of each day, where its events are taken to lie.
    until = np.cumsum(base) - base / 2
    total = np.cumsum(events)
    day_of = np.repeat(np.arange(len(days)), events)  # of each event, in order
    m, k = budget.rare_baseline, budget.rare_events
    complete = len(day_of) >= m
    end = int(day_of[m - 1]) if complete else len(days)
    before = total - k  # events before the window of the day's last one
    judged = (events > 0) & (before >= m) & complete
    start = (
        day_of[np.clip(before - 1, 0, max(len(day_of) - 1, 0))] if len(day_of) else np.zeros(len(days), dtype=np.int64)
    )
    opportunities = np.where(judged, until - until[start], np.nan)
    # All events of a window on one day: there is no telling how close they were.
    judged &= np.nan_to_num(opportunities) > 0
    of_baseline = np.arange(len(days)) <= end
    reason = np.select(
        [judged, ~final, np.full(len(days), not complete), events == 0, ~judged], [0, 3, 4, 6, 5], default=5
    )
    return _RareChart(
        joins=int(days[end]) + 1 if complete else None,
        a_month=m / max(float(days[end] - days[0] + 1), 1.0) * DAYS_A_MONTH if complete else 0.0,
        columns={
            "centre": np.full(len(days), m / until[end] if complete and until[end] > 0 else np.nan),
            "opportunities": opportunities,
            "reason": reason,
            "is_baseline": of_baseline & complete,
        },
    )
