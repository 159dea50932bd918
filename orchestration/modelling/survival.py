"""How long customers stay: Kaplan-Meier curves with late entry, and a Cox model of what goes with leaving earlier.

Belongs here: estimates from counted stretches of life. Does not belong here: what a departure is, when observation begins, and where a life is cut
(`ftr_survival_spells`).

Terms: a stretch of life is observed from the age `entry_days` (left truncated: who left before that age is not among the rows) to the age `exit_days`,
where it ends by leaving (`is_left`) or is censored. At risk at age t are the stretches with entry < t <= exit. The curve is S(t) = product over ages u <= t
of 1 - d(u)/n(u), d departures of n at risk. Where hardly anybody is at risk at young ages (all came under observation later), the curve begins at the first age with
a base (`from_days`), and again after an age at which everybody at risk left while others come later: it then says which share of those who reach that age
stays until t.

Sources: E. L. Kaplan and P. Meier, *JASA* 53, 1958; late entry: J. P. Klein and M. L. Moeschberger, *Survival Analysis*, 2nd ed. 2003, 4.6; variance: M. Greenwood, 1926;
interval on the log(-log) scale: J. D. Kalbfleisch and R. L. Prentice, 1980, 1.3; median: the first age with S <= 1/2, its interval by R. Brookmeyer and J. Crowley, *Biometrics* 38,
1982; hazards: D. R. Cox, *JRSS B* 34, 1972, with B. Efron's ties (lifelines); a covariate that changes in a life (complaints) cuts it: R. Simon and R. W. Makuch, *Statistics in
Medicine* 3, 1984.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

MODEL_VERSION = "survival-1"
STRATA = ("customer_kind", "province", "complaint_history", "customer_tier")
"""Properties by which customers as a whole are split; product lines are curves of their own."""
ALL = "all"
DAYS_PER_MONTH = 30.4375

CURVE_SCHEMA: dict[str, type[pl.DataType]] = {
    "stratum_kind": pl.String,
    "stratum": pl.String,
    "days": pl.Int32,
    "from_days": pl.Int32,
    "at_risk": pl.Int64,
    "departures": pl.Int64,
    "censored": pl.Int64,
    "survival": pl.Float64,
    "standard_error": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "median_days": pl.Int32,
    "median_low_days": pl.Int32,
    "median_high_days": pl.Int32,
    "all_departures": pl.Int64,
    "model_version": pl.String,
    "as_of": pl.Date,
}
"""Columns of `survival_curves`, in this order, also of an empty answer."""

HAZARD_SCHEMA: dict[str, type[pl.DataType]] = {
    "property": pl.String,
    "level": pl.String,
    "reference": pl.String,
    "state": pl.String,
    "departures": pl.Int64,
    "stretches": pl.Int64,
    "hazard_ratio": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p_value": pl.Float64,
    "late_ratio": pl.Float64,
    "proportionality_p_value": pl.Float64,
    "is_proportional": pl.Boolean,
    "split_months": pl.Int32,
    "model_version": pl.String,
    "as_of": pl.Date,
}
"""Columns of `churn_hazards`, in this order, also of an empty answer."""

_Z = 1.959964


def kaplan_meier(times: pl.DataFrame, *, least: int = 1) -> pl.DataFrame:
    """Curve of one group.

    Args:
        times: `entry_days`, `exit_days` (whole numbers, entry < exit), `is_left`, `spells` (how many stretches agree in these).
        least: at risk before the curve begins; a group that never has as many begins where it has most.

    Returns:
        One row per age with a departure or censoring from `from_days` on: `days`, `from_days`, `at_risk`, `departures`, `censored`, `survival`, `standard_error`
        (Greenwood), `low` and `high` (95 %, log(-log); null where S is 0 or 1).

    Raises:
        ValueError: a stretch ends at or before its entry.
    """
    if times.filter(pl.col("entry_days") >= pl.col("exit_days")).height:
        raise ValueError("A stretch of life ends at or before its entry.")
    empty = pl.DataFrame(schema={name: CURVE_SCHEMA[name] for name in list(CURVE_SCHEMA)[2:11]})
    if times.is_empty():
        return empty
    entries = times.group_by(days=pl.col("entry_days")).agg(entered=pl.col("spells").sum())
    exits = times.group_by(days=pl.col("exit_days")).agg(
        departures=pl.col("spells").filter("is_left").sum(), censored=pl.col("spells").filter(~pl.col("is_left")).sum()
    )
    table = entries.join(exits, on="days", how="full", coalesce=True).fill_null(0).sort("days")
    days = table["days"].to_numpy().astype(np.int64)
    left = table["departures"].to_numpy().astype(np.int64)
    gone = left + table["censored"].to_numpy().astype(np.int64)
    entered = table["entered"].to_numpy().astype(np.int64)
    # Who enters at an age is at risk after it only; who leaves at it still is.
    at_risk = np.concatenate([[0], np.cumsum(entered)[:-1]]) - np.concatenate([[0], np.cumsum(gone)[:-1]])
    enough = np.flatnonzero(at_risk >= min(least, int(at_risk.max())))
    emptied = np.flatnonzero((left > 0) & (left == at_risk) & (np.arange(len(days)) < len(days) - 1))
    emptied = emptied[[bool((at_risk[position + 1 :] > 0).any()) for position in emptied]]
    first = max(int(enough[0]), int(emptied[-1]) + 1 if len(emptied) else 0)
    first += int(np.flatnonzero(at_risk[first:] > 0)[0])
    start = int(days[first - 1]) if first else int(days[0])
    keep = np.arange(first, len(days))
    keep = keep[(gone[keep] > 0) & (at_risk[keep] > 0)]
    n, d = at_risk[keep].astype(float), left[keep].astype(float)
    survival = np.cumprod(1 - d / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(np.where(n > d, d / (n * (n - d)), np.nan))
        spread = _Z * np.sqrt(greenwood) / np.abs(np.log(survival))
        low, high = survival ** np.exp(spread), survival ** np.exp(-spread)
    known = np.isfinite(greenwood) & (survival > 0) & (survival < 1)
    return pl.DataFrame(
        {
            "days": days[keep].astype(np.int32),
            "from_days": np.full(len(keep), start, dtype=np.int32),
            "at_risk": at_risk[keep],
            "departures": left[keep],
            "censored": gone[keep] - left[keep],
            "survival": np.round(survival, 9),
            "standard_error": np.where(np.isfinite(greenwood), np.round(survival * np.sqrt(greenwood), 9), 0.0),
            "low": np.where(known, np.round(low, 9), np.nan),
            "high": np.where(known, np.round(high, 9), np.nan),
        },
        schema_overrides={"at_risk": pl.Int64, "departures": pl.Int64, "censored": pl.Int64},
    ).with_columns(pl.col("low", "high").fill_nan(None))


def median_days(curve: pl.DataFrame, column: str = "survival") -> int | None:
    """First age at which a column of a curve is at or below one half; None = it stays above."""
    reached = curve.filter(pl.col(column) <= 0.5)
    return None if reached.is_empty() else int(reached["days"][0])


def survival_curves(spells: pl.DataFrame, *, as_of: date | None, least: int) -> pl.DataFrame:
    """Curves of all customers, of each product line and of each kind, province, complaint history and tier of customers.

    Args:
        spells: `ftr_survival_spells`.
        as_of: last day of the data.
        least: at risk before a curve begins.

    Returns:
        `CURVE_SCHEMA`; a row per curve and age at which somebody left, and one for the last age that is observed.
    """
    whole = spells.filter(pl.col("product_line") == ALL)
    groups = [("all", ALL, whole)]
    groups += [("product_line", str(name), part) for (name,), part in spells.filter(pl.col("product_line") != ALL).sort("product_line").group_by("product_line", maintain_order=True)]  # fmt: skip
    for kind in STRATA:
        groups += [(kind, str(name), part) for (name,), part in whole.sort(kind).group_by(kind, maintain_order=True)]
    frames = []
    for kind, name, part in groups:
        counted = part.group_by("entry_days", "exit_days", "is_left").agg(pl.col("spells").sum())
        curve = kaplan_meier(counted, least=least)
        if curve.is_empty():
            continue
        departures = int(curve["departures"].sum())
        last = pl.col("days") == pl.col("days").max()
        frames.append(
            curve.filter((pl.col("departures") > 0) | last).with_columns(
                stratum_kind=pl.lit(kind),
                stratum=pl.lit(name),
                median_days=pl.lit(median_days(curve), dtype=pl.Int32),
                median_low_days=pl.lit(median_days(curve, "low"), dtype=pl.Int32),
                median_high_days=pl.lit(median_days(curve, "high"), dtype=pl.Int32),
                all_departures=pl.lit(departures, dtype=pl.Int64),
                model_version=pl.lit(MODEL_VERSION),
                as_of=pl.lit(as_of, dtype=pl.Date),
            )
        )
    if not frames:
        return pl.DataFrame(schema=CURVE_SCHEMA)
    return pl.concat(frames).select(list(CURVE_SCHEMA)).cast(dict(CURVE_SCHEMA)).sort("stratum_kind", "stratum", "days")  # type: ignore[arg-type]


def churn_hazards(
    spells: pl.DataFrame,
    *,
    as_of: date | None,
    least: int,
    properties: Sequence[str] = STRATA,
    significance: float = 0.01,
) -> pl.DataFrame:
    """Hazard ratios of leaving by kind of customer, province, complaint history and tier together (Cox, age as the clock, late entry, Efron's ties).

    Ages are cut into months, so that millions of lives are some thousand rows. That a ratio is the same at all ages is checked by a second fit in which each level may
    have another ratio from the middle of the departures on (a cut of the life at that age; Schoenfeld residuals are not defined by lifelines for late entry).

    Args:
        spells: `ftr_survival_spells`; rows of customers as a whole are used.
        as_of: last day of the data.
        least: departures that a level needs; one with fewer (or nothing else than departures) has no ratio and its lives are left out.
        properties: columns that go in, each against its most frequent level.
        significance: p below which a ratio is said not to be the same at all ages.

    Returns:
        `HAZARD_SCHEMA`, a row per property and level. `state`: estimated, reference, too_few, or not_estimated (nothing to compare, or the fit found no maximum).
    """
    whole = spells.filter(pl.col("product_line") == ALL).with_columns(
        entry=(pl.col("entry_days") / DAYS_PER_MONTH).floor().cast(pl.Int64),
        exit=(pl.col("exit_days") / DAYS_PER_MONTH).ceil().cast(pl.Int64),
    )
    # A life cut at a complaint within a month would be at risk in it twice; the first part gives way.
    whole = whole.with_columns(exit=pl.max_horizontal("exit", pl.col("entry") + 1))
    levels = {
        name: whole.group_by(name)
        .agg(departures=pl.col("spells").filter("is_left").sum(), stretches=pl.col("spells").sum())
        .sort(["stretches", name], descending=[True, False])
        for name in properties
    }
    known = {
        name: [str(v) for v in frame.filter(pl.col("departures") >= least)[name]] for name, frame in levels.items()
    }
    kept = whole
    for name in properties:
        kept = kept.filter(pl.col(name).is_in(known[name]))
    terms = [(name, level) for name in properties for level in known[name][1:]]
    rows = (
        kept.group_by(*properties, "entry", "exit", "is_left")
        .agg(pl.col("spells").sum())
        .sort(*properties, "entry", "exit", "is_left")
    )
    fitted, late, split = (
        _fits(rows, terms) if terms and rows.filter("is_left")["spells"].sum() >= least else ({}, {}, None)
    )
    out = []
    for name in properties:
        for row in levels[name].iter_rows(named=True):
            level = str(row[name])
            reference = known[name][0] if known[name] else None
            found = fitted.get((name, level))
            check = late.get((name, level))
            state = (
                "reference"
                if level == reference
                else "too_few"
                if level not in known[name]
                else "estimated"
                if found
                else "not_estimated"
            )
            out.append(
                {
                    "property": name,
                    "level": level,
                    "reference": reference,
                    "state": state,
                    "departures": row["departures"],
                    "stretches": row["stretches"],
                    "hazard_ratio": 1.0
                    if state == "reference"
                    else round(float(np.exp(found[0])), 6)
                    if found
                    else None,
                    "low": round(float(np.exp(found[0] - _Z * found[1])), 6) if found else None,
                    "high": round(float(np.exp(found[0] + _Z * found[1])), 6) if found else None,
                    "p_value": round(found[2], 9) if found else None,
                    "late_ratio": round(float(np.exp(check[0])), 6) if check else None,
                    "proportionality_p_value": round(check[2], 9) if check else None,
                    "is_proportional": check[2] >= significance if check else None,
                    "split_months": split,
                    "model_version": MODEL_VERSION,
                    "as_of": as_of,
                }
            )
    return pl.DataFrame(out, schema=HAZARD_SCHEMA).sort("property", "level")


_Estimate = dict[tuple[str, str], tuple[float, float, float]]


def _fits(rows: pl.DataFrame, terms: list[tuple[str, str]]) -> tuple[_Estimate, _Estimate, int | None]:
    """Coefficients (value, standard error, p) of the terms, those of their change at the middle age of the departures, and that age in months."""
    coded = rows.with_columns(
        *[(pl.col(name) == level).cast(pl.Float64).alias(f"x{number}") for number, (name, level) in enumerate(terms)],
        left=pl.col("is_left").cast(pl.Int64),
    )
    base = _cox(coded, [f"x{number}" for number in range(len(terms))])
    if base is None:
        return {}, {}, None
    fitted = {term: base[f"x{number}"] for number, term in enumerate(terms)}
    ages = rows.filter("is_left").sort("exit")
    split = int(ages["exit"].filter(ages["spells"].cum_sum() * 2 >= ages["spells"].sum())[0])
    early = coded.filter(pl.col("entry") < split).with_columns(
        left=pl.when(pl.col("exit") > split).then(0).otherwise("left"),
        exit=pl.min_horizontal("exit", pl.lit(split)),
        is_late=pl.lit(0.0),
    )
    later = coded.filter(pl.col("exit") > split).with_columns(
        entry=pl.max_horizontal("entry", pl.lit(split)), is_late=pl.lit(1.0)
    )
    both = pl.concat([early, later.select(early.columns)]).with_columns(
        *[(pl.col(f"x{number}") * pl.col("is_late")).alias(f"late{number}") for number in range(len(terms))]
    )
    # A level that nobody left on one side of the cut has no second ratio.
    sides = both.filter(pl.col("left") == 1)
    checked = [
        number
        for number in range(len(terms))
        if sides.filter((pl.col(f"x{number}") == 1) & (pl.col("is_late") == 1)).height
        and sides.filter((pl.col(f"x{number}") == 1) & (pl.col("is_late") == 0)).height
    ]
    second = (
        _cox(both, [f"x{number}" for number in range(len(terms))] + [f"late{number}" for number in checked])
        if checked
        else None
    )
    late = {terms[number]: second[f"late{number}"] for number in checked} if second else {}
    return fitted, late, split


def _cox(frame: pl.DataFrame, columns: list[str]) -> dict[str, tuple[float, float, float]] | None:
    """Coefficient, standard error and p value by column; None = no maximum was found."""
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    data = (
        frame.group_by(*columns, "entry", "exit", "left")
        .agg(pl.col("spells").sum())
        .sort(*columns, "entry", "exit", "left")
        .to_pandas()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model = CoxPHFitter().fit(data, "exit", "left", entry_col="entry", weights_col="spells")
        except (ConvergenceError, ConvergenceWarning):
            return None
    summary = model.summary
    return {
        name: (float(summary.at[name, "coef"]), float(summary.at[name, "se(coef)"]), float(summary.at[name, "p"]))
        for name in columns
    }
