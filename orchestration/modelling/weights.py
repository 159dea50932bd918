"""Weights of survey responses: who answers is made to look like who was asked.

Belongs here: the probability of an answer by what was known at sending (logistic regression with ridge), its inverse, raking to the
margins of the invited, trimming, and how good all that is. Does not belong here: weights of the survey's design (they multiply what
comes out of here, in SQL), answers to questions, and which facts a survey uses (seeds/survey_weighting.csv).

Everything is done on *classes* of invitations, those that agree in all facts: five million rows cost what their classes cost. A survey
is judged period by period (wave, or month of sending), so what is closed stays as it is.

Sources: D. W. Hosmer, S. Lemeshow, *Applied Logistic Regression*, 2nd ed. 2000 (likelihood, Newton steps); S. le Cessie, J. C. van
Houwelingen, "Ridge estimators in logistic regression", *Applied Statistics* 41, 1992; W. E. Deming, F. F. Stephan, "On a least squares
adjustment of a sampled frequency table when the expected marginal totals are known", *Annals of Mathematical Statistics* 11, 1940
(raking); L. Kish, *Survey Sampling*, 1965 (effective size, design effect); F. J. Potter, "A study of procedures to identify and trim
extreme sampling weights", *Proceedings of the ASA*, 1990 (trimming with redistribution).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

VERSION = "1"
KEY = ("source", "survey_id", "period")
COUNTS = ("invitation_class", "sent", "delivered", "answered", "last_day")
"""Columns of a frame of classes beside the key and the facts."""
MOST_STEPS = 50
SMALL_STEP = 0.02
CLOSE_ENOUGH = 1e-8
MOST_ROUNDS = 200
MARGIN_TOLERANCE = 1e-6
BANDS = 10

WEIGHTS_SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(), "survey_id": pl.String(), "period": pl.String(), "invitation_class": pl.String(),
    "sent": pl.Int64(), "delivered": pl.Int64(), "answered": pl.Int64(),
    "model_state": pl.String(), "propensity": pl.Float64(), "nonresponse_weight": pl.Float64(), "raking_factor": pl.Float64(),
    "adjustment": pl.Float64(), "is_trimmed": pl.Boolean(), "model_version": pl.String(), "as_of": pl.Date(),
}  # fmt: skip
QUALITY_SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(), "survey_id": pl.String(), "period": pl.String(), "figure": pl.String(), "fact": pl.String(),
    "fact_value": pl.String(), "band": pl.Int64(), "amount": pl.Float64(), "model_version": pl.String(), "as_of": pl.Date(),
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """How one survey is weighted; a line of seeds/survey_weighting.csv.

    Attributes:
        survey_id: a survey, the beginning of its name followed by `*`, or `*`.
        facts: what the probability of an answer depends on.
        margins: facts whose distribution among the weighted answers is made equal to that among the invited.
        cap: no adjustment is above this many times the mean adjustment of the period; above 1.
        minimum_answers: with fewer answers a period has no model, and all of its answers the same adjustment.
        ridge: penalty on the squared coefficients, above 0: with it a fact that tells answers from silence without exception
            (separation) has a finite coefficient.
    """

    survey_id: str
    facts: tuple[str, ...]
    margins: tuple[str, ...]
    cap: float = 5.0
    minimum_answers: int = 50
    ridge: float = 1.0


def rules_of(seed: pl.DataFrame, known: Sequence[str]) -> list[Rule]:
    """Rules of a seed with the columns of `Rule`, lists separated by semicolons.

    Raises ValueError, naming the line, for an unknown fact, a cap of 1 or less, or a ridge of 0 or less.
    """
    rules = []
    for row in seed.iter_rows(named=True):
        facts, margins = (
            tuple(filter(None, (row[name] or "").replace(" ", "").split(";"))) for name in ("facts", "margins")
        )
        unknown = sorted({*facts, *margins} - set(known))
        if unknown:
            raise ValueError(
                f"survey_weighting {row['survey_id']}: {', '.join(unknown)} is no fact; use {', '.join(known)}"
            )
        if not row["cap"] > 1 or not row["ridge"] > 0:
            raise ValueError(f"survey_weighting {row['survey_id']}: cap must be above 1 and ridge above 0")
        rules.append(
            Rule(row["survey_id"], facts, margins, float(row["cap"]), int(row["minimum_answers"]), float(row["ridge"]))
        )
    return rules


def rule_for(survey_id: str, rules: Sequence[Rule]) -> Rule | None:
    """The rule that fits a survey: its own name, else the longest beginning; None = it is not weighted."""
    fitting = [
        rule
        for rule in rules
        if rule.survey_id == survey_id or (rule.survey_id.endswith("*") and survey_id.startswith(rule.survey_id[:-1]))
    ]
    return max(fitting, key=lambda rule: (rule.survey_id == survey_id, len(rule.survey_id)), default=None)


@dataclass(frozen=True)
class Fit:
    """A fitted response model.

    Attributes:
        intercept, coefficients: on the logit scale; one coefficient a column of the design.
        steps: Newton steps taken.
        has_converged: no coefficient moved by more than 1e-8 in the last step.
    """

    intercept: float
    coefficients: Floats
    steps: int
    has_converged: bool


@dataclass(frozen=True)
class Facts:
    """Facts of rows as numbers.

    Attributes:
        names: the facts.
        codes: per fact, the number of each row's value; all of equal length.
        values: per fact, its values by number.
    """

    names: tuple[str, ...]
    codes: tuple[Codes, ...]
    values: tuple[Sequence[str], ...]

    def only(self, names: Sequence[str]) -> Facts:
        """Those of the given names, in their order."""
        places = [self.names.index(name) for name in names]
        return Facts(
            tuple(names), tuple(self.codes[place] for place in places), tuple(self.values[place] for place in places)
        )

    @property
    def sizes(self) -> list[int]:
        return [len(values) for values in self.values]


def linear(facts: Facts, intercept: float, coefficients: Floats, rows: int) -> Floats:
    """Intercept plus the coefficients of each row's values; `coefficients` are those of all values, fact after fact."""
    eta = np.full(rows, intercept)
    start = 0
    for code, size in zip(facts.codes, facts.sizes, strict=True):
        eta += coefficients[start : start + size][code]
        start += size
    return eta


def _sums(facts: Facts, amounts: Floats) -> Floats:
    """Sum of the amounts: over all rows, then by each value of each fact."""
    by_fact = [
        np.bincount(code, weights=amounts, minlength=size) for code, size in zip(facts.codes, facts.sizes, strict=True)
    ]
    return np.concatenate([[amounts.sum()], *by_fact])


def _products(facts: Facts, amounts: Floats) -> Floats:
    """Sum of the amounts by each two values: what a design of indicators gives as X'WX, from two-way tables and without that design."""
    sums, sizes = _sums(facts, amounts), facts.sizes
    starts = np.concatenate([[1], 1 + np.cumsum(sizes)]).astype(np.int64)
    found = np.diag(sums)
    found[0, :] = found[:, 0] = sums
    for first in range(len(sizes)):
        for second in range(first + 1, len(sizes)):
            cell = facts.codes[first] * sizes[second] + facts.codes[second]
            table = np.bincount(cell, weights=amounts, minlength=sizes[first] * sizes[second]).reshape(
                sizes[first], sizes[second]
            )
            rows = slice(starts[first], starts[first + 1])
            columns = slice(starts[second], starts[second + 1])
            found[rows, columns], found[columns, rows] = table, table.T
    return found


def fit_logistic(facts: Facts, successes: Floats, trials: Floats, ridge: float) -> Fit:
    """Binomial logistic regression with a ridge penalty `ridge / 2 * sum(b^2)`; the intercept is free, each value of each fact has a coefficient.

    Args:
        facts: of the rows.
        successes, trials: counts per row, `0 <= successes <= trials`.

    Newton steps, halved as long as a step makes the penalised likelihood worse. Once steps are small the curvature is kept: it is what
    costs, and no longer changes.
    """
    rows, columns = len(successes), sum(facts.sizes)
    penalty = np.concatenate([[0.0], np.full(columns, ridge)])
    rate = (successes.sum() + 0.5) / (trials.sum() + 1.0)
    beta = np.zeros(columns + 1)
    beta[0] = np.log(rate / (1 - rate))

    def loss(eta: Floats, at: Floats) -> float:
        return float((trials * np.logaddexp(0.0, eta) - successes * eta).sum() + 0.5 * (penalty * at * at).sum())

    eta = linear(facts, beta[0], beta[1:], rows)
    now, steps, done, moved = loss(eta, beta), 0, False, np.inf
    curvature = np.zeros((columns + 1, columns + 1))
    while steps < MOST_STEPS and not done:
        steps += 1
        p = _expit(eta)
        gradient = _sums(facts, successes - trials * p) - penalty * beta
        if moved > SMALL_STEP:
            curvature = _products(facts, trials * p * (1 - p)) + np.diag(penalty)
            # Without a free direction for the intercept (all answered, or none) the curvature vanishes there.
            curvature[0, 0] += 1e-10
        move = np.linalg.solve(curvature, gradient)
        size = 1.0
        while True:
            tried = beta + size * move
            eta = linear(facts, tried[0], tried[1:], rows)
            after = loss(eta, tried)
            if after <= now + 1e-12 * abs(now) or size < 1e-6:
                break
            size /= 2
        beta, now, moved = tried, after, float(np.abs(size * move).max())
        done = moved < CLOSE_ENOUGH
    return Fit(float(beta[0]), beta[1:], steps, done)


def _expit(eta: Floats) -> Floats:
    bounded: Floats = 1.0 / (1.0 + np.exp(-np.clip(eta, -500, 500)))
    return bounded


@dataclass(frozen=True)
class Raked:
    """Result of raking.

    Attributes:
        factors: what each row's weight is multiplied with.
        rounds: rounds over all margins.
        largest_gap: the largest distance of a reached share from its target share.
        has_converged: it is at most 1e-6.
        empty: per margin, the values that have people but nobody who answered.
    """

    factors: Floats
    rounds: int
    largest_gap: float
    has_converged: bool
    empty: tuple[tuple[int, ...], ...]


def rake(weights: Floats, codes: Sequence[Codes], targets: Sequence[Floats], rounds: int = MOST_ROUNDS) -> Raked:
    """Iterative proportional fitting: weights whose sums by each margin are the targets.

    Args:
        weights: total weight of each row, 0 or more.
        codes: per margin, the number of the row's value.
        targets: per margin, the wanted total of each value; all margins have the same grand total.

    A value that is wanted but has no weight cannot be reached: those wanted in it are spread over the other values in proportion to
    what is wanted there, and it is listed in `empty`. A value that nobody wants gets 0. Without any weight all factors are 1.
    """
    factors = np.ones(len(weights))
    wanted, empty = [], []
    for code, target in zip(codes, targets, strict=True):
        there = np.bincount(code, weights=weights, minlength=len(target)) > 0
        empty.append(tuple(int(value) for value in np.flatnonzero(~there & (target > 0))))
        reachable = np.where(there, target, 0.0)
        total = reachable.sum()
        wanted.append(reachable * (target.sum() / total) if total > 0 else reachable)
    if not len(weights) or weights.sum() <= 0 or not wanted:
        return Raked(factors, 0, 0.0, True, tuple(empty))
    done, gap = 0, np.inf
    while done < rounds and gap > MARGIN_TOLERANCE:
        done += 1
        for code, target in zip(codes, wanted, strict=True):
            reached = np.bincount(code, weights=weights * factors, minlength=len(target))
            factors = factors * np.divide(target, reached, out=np.ones(len(target)), where=reached > 0)[code]
        gap = max(_gaps(weights * factors, codes, wanted))
    return Raked(factors, done, float(gap), bool(gap <= MARGIN_TOLERANCE), tuple(empty))


def _gaps(weights: Floats, codes: Sequence[Codes], targets: Sequence[Floats]) -> list[float]:
    found = []
    for code, target in zip(codes, targets, strict=True):
        total = target.sum()
        if total > 0:
            found.append(
                float(np.abs(np.bincount(code, weights=weights, minlength=len(target)) - target).max() / total)
            )
    return found or [0.0]


def trim(adjustments: Floats, counts: Floats, cap: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Adjustments of which none is above `cap` times their mean, with the same total; and which were cut.

    Args:
        adjustments: one a row, 0 or more.
        counts: responses of the row; the mean is over responses.
        cap: above 1.

    What is cut off is spread over the others in proportion to what they have; that may lift another above the cap, so it is repeated.
    """
    if not cap > 1:
        raise ValueError(f"cap: {cap:g} is not above 1")
    total, n = float((adjustments * counts).sum()), float(counts.sum())
    cut = np.zeros(len(adjustments), dtype=bool)
    if n <= 0 or total <= 0:
        return adjustments.copy(), cut
    limit = cap * total / n
    found = adjustments.copy()
    while True:
        over = (found > limit * (1 + 1e-12)) & (counts > 0) & ~cut
        if not over.any():
            return found, cut
        cut |= over
        found[cut] = limit
        rest = ~cut & (counts > 0)
        left = float((found * counts)[rest].sum())
        if left <= 0:
            return found, cut
        found[rest] *= (total - float((found * counts)[cut].sum())) / left


def effective_n(weights: Floats, counts: Floats | None = None) -> float:
    """Kish's effective size (sum w)^2 / sum w^2; 0 without weights. The design effect is n divided by it."""
    counts = np.ones(len(weights)) if counts is None else counts
    squares = float((counts * weights * weights).sum())
    return float((counts * weights).sum()) ** 2 / squares if squares > 0 else 0.0


def area_under_curve(scores: Floats, successes: Floats, trials: Floats) -> float:
    """Chance that one who answered has a higher score than one who did not, ties half; NaN without one of both."""
    order = np.argsort(scores, kind="stable")
    _, group = np.unique(scores[order], return_inverse=True)
    good = np.bincount(group, weights=successes[order])
    bad = np.bincount(group, weights=(trials - successes)[order])
    if good.sum() <= 0 or bad.sum() <= 0:
        return float("nan")
    below = np.cumsum(bad) - bad
    return float((good * (below + bad / 2)).sum() / (good.sum() * bad.sum()))


def brier_score(p: Floats, successes: Floats, trials: Floats) -> float:
    """Mean squared distance of the probability from what happened; NaN without trials."""
    n = trials.sum()
    return float((successes * (1 - p) ** 2 + (trials - successes) * p**2).sum() / n) if n > 0 else float("nan")


def calibration(p: Floats, successes: Floats, trials: Floats, bands: int = BANDS) -> list[tuple[float, float, float]]:
    """(trials, mean probability, observed share) in bands of about equal size by probability; empty bands are left out."""
    used = trials > 0
    p, successes, trials = p[used], successes[used], trials[used]
    order = np.argsort(p, kind="stable")
    p, successes, trials = p[order], successes[order], trials[order]
    middle = np.cumsum(trials) - trials / 2
    band = (
        np.minimum((middle / trials.sum() * bands).astype(np.int64), bands - 1)
        if len(p)
        else np.zeros(0, dtype=np.int64)
    )
    found = []
    for number in np.unique(band):
        inside = band == number
        n = float(trials[inside].sum())
        found.append((n, float((p * trials)[inside].sum() / n), float(successes[inside].sum() / n)))
    return found


@dataclass(frozen=True)
class Weighed:
    """What comes out for the classes of one period; arrays have one value a class, NaN = none."""

    state: str
    propensity: Floats
    nonresponse: Floats
    factor: Floats
    adjustment: Floats
    is_trimmed: NDArray[np.bool_]
    figures: list[Figure]


Figure = tuple[str, str | None, str | None, int | None, float]
"""Name, fact, value, band, amount."""


def weigh(facts: Facts, sent: Floats, delivered: Floats, answered: Floats, rule: Rule | None) -> Weighed:
    """Adjustments of one survey and period.

    Args:
        facts: of the classes; those that the rule names must be among them.
        sent, delivered, answered: counts per class, `sent >= delivered >= answered`.
    """
    rows, asked, n = len(sent), float(sent.sum()), float(answered.sum())
    figures: list[Figure] = [
        ("sent", None, None, None, asked),
        ("delivered", None, None, None, float(delivered.sum())),
        ("answered", None, None, None, n),
    ]
    propensity, nonresponse, factor = np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan)
    adjustment, cut = np.full(rows, asked / n if n > 0 else np.nan), np.zeros(rows, dtype=bool)
    if n == 0:
        state = "no_answers"
    elif rule is None:
        state = "no_rule"
    elif n < rule.minimum_answers:
        state = "too_few_answers"
    else:
        used, margins = facts.only(rule.facts), facts.only(rule.margins)
        fit = fit_logistic(used, answered, delivered, rule.ridge)
        propensity = _expit(linear(used, fit.intercept, fit.coefficients, rows))
        nonresponse = 1.0 / propensity
        scaled = nonresponse * (asked / float((nonresponse * answered).sum()))
        targets = [
            np.bincount(code, weights=sent, minlength=size).astype(np.float64)
            for code, size in zip(margins.codes, margins.sizes, strict=True)
        ]
        raked = rake(scaled * answered, margins.codes, targets)
        factor = raked.factors
        adjustment, cut = trim(scaled * factor, answered, rule.cap)
        state = "fitted" if fit.has_converged else "not_converged"
        figures += _figures(fit, propensity, answered, delivered, used)
        figures += _margins(margins, raked, sent, answered, adjustment)
        figures.append(("trimmed_share", None, None, None, float(answered[cut].sum() / n)))
        figures.append(
            ("largest_relative_adjustment", None, None, None, float(adjustment[answered > 0].max() * n / asked))
        )
    if n > 0:
        effective = effective_n(adjustment, answered)
        figures += [("effective_n", None, None, None, effective), ("design_effect", None, None, None, n / effective)]
    figures.append(("has_model", None, None, None, float(state in ("fitted", "not_converged"))))
    return Weighed(state, propensity, nonresponse, factor, adjustment, cut, figures)


def _figures(fit: Fit, p: Floats, answered: Floats, delivered: Floats, facts: Facts) -> list[Figure]:
    """How good the model is, on the invitations it was fitted to."""
    rate = float(answered.sum() / delivered.sum())
    found: list[Figure] = [
        ("auc", None, None, None, area_under_curve(p, answered, delivered)),
        ("brier", None, None, None, brier_score(p, answered, delivered)),
        ("brier_of_the_mean_rate", None, None, None, brier_score(np.full(len(p), rate), answered, delivered)),
        ("has_converged", None, None, None, float(fit.has_converged)),
        ("steps", None, None, None, float(fit.steps)),
        ("intercept", None, None, None, fit.intercept),
    ]
    start = 0
    for fact, code, values in zip(facts.names, facts.codes, facts.values, strict=True):
        tried = np.bincount(code, weights=delivered, minlength=len(values))
        told = np.bincount(code, weights=answered, minlength=len(values))
        for number, value in enumerate(values):
            found.append(("coefficient", fact, value, None, float(fit.coefficients[start + number])))
            if tried[number] > 0 and told[number] in (0.0, tried[number]):
                found.append(("separated", fact, value, None, float(tried[number])))
        start += len(values)
    for number, (n, predicted, observed) in enumerate(calibration(p, answered, delivered)):
        found.append(("calibration_invitations", None, None, number + 1, n))
        found.append(("calibration_predicted", None, None, number + 1, predicted))
        found.append(("calibration_observed", None, None, number + 1, observed))
    return found


def _margins(margins: Facts, raked: Raked, sent: Floats, answered: Floats, adjustment: Floats) -> list[Figure]:
    """How raking went, and the shares of each value of each margin: wanted, among the answers, among the weighted answers."""
    found: list[Figure] = [
        ("raking_rounds", None, None, None, float(raked.rounds)),
        ("raking_has_converged", None, None, None, float(raked.has_converged)),
        ("raking_largest_gap", None, None, None, raked.largest_gap),
    ]
    for fact, code, values, empty in zip(margins.names, margins.codes, margins.values, raked.empty, strict=True):
        found += [("margin_without_answers", fact, values[number], None, 1.0) for number in empty]
        for figure, weights in (
            ("margin_wanted", sent),
            ("margin_before", answered),
            ("margin_after", answered * adjustment),
        ):
            shares = np.bincount(code, weights=weights, minlength=len(values)) / weights.sum()
            found += [(figure, fact, value, None, float(share)) for value, share in zip(values, shares, strict=True)]
    return found


def _coded(frame: pl.DataFrame, names: Sequence[str]) -> Facts:
    """Facts of a frame; values are numbered in the order of their text."""
    codes, values = [], []
    for name in names:
        labels = frame[name].unique().cast(pl.String).sort().to_list()
        codes.append(frame[name].cast(pl.Enum(labels)).to_physical().to_numpy().astype(np.int64))
        values.append(labels)
    return Facts(tuple(names), tuple(codes), tuple(values))


def facts_in(columns: Sequence[str]) -> list[str]:
    """Columns of a frame of classes that are facts."""
    return [name for name in columns if name not in (*KEY, *COUNTS, "first_day")]


def response_weights(periods: Iterable[pl.DataFrame], rules: Sequence[Rule]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Adjustments of all surveys and periods, and how good they are.

    Args:
        periods: frames that each hold whole periods of surveys; a frame at a time is all that is kept of them. One row per source, survey_id,
            period and class: the facts (text), invitation_class, sent >= delivered >= answered, last_day.

    Returns:
        One row per class with the schema WEIGHTS_SCHEMA; and one per source, survey, period, figure, fact, value and band with
        QUALITY_SCHEMA. The adjustments of a period's answers add up to the number of invitations sent. `model_state`: fitted,
        not_converged, too_few_answers (all of a period's answers have the same adjustment), no_answers, no_rule.
    """
    found = [pl.DataFrame(schema=WEIGHTS_SCHEMA)]
    figures = [pl.DataFrame(schema=QUALITY_SCHEMA)]
    for frame in periods:
        ordered = frame.sort(*KEY, "invitation_class")
        for part in ordered.partition_by(*KEY, maintain_order=True) if ordered.height else []:
            weighted, quality = _one_period(part, rules)
            found.append(weighted)
            figures.append(quality)
    order = [*KEY, "figure", "fact", "fact_value", "band"]
    return pl.concat(found).sort(*KEY, "invitation_class"), pl.concat(figures).sort(order)


def _one_period(part: pl.DataFrame, rules: Sequence[Rule]) -> tuple[pl.DataFrame, pl.DataFrame]:
    names = facts_in(part.columns)
    sent, delivered, answered = (part[name].to_numpy().astype(np.float64) for name in ("sent", "delivered", "answered"))
    rule = rule_for(part["survey_id"][0], rules)
    found = weigh(_coded(part, names), sent, delivered, answered, rule)
    last_day: date = part["last_day"].max()  # type: ignore[assignment]
    weighted = part.select(*KEY, "invitation_class", "sent", "delivered", "answered").with_columns(
        model_state=pl.lit(found.state),
        propensity=pl.Series(found.propensity).fill_nan(None),
        nonresponse_weight=pl.Series(found.nonresponse).fill_nan(None),
        raking_factor=pl.Series(found.factor).fill_nan(None),
        adjustment=pl.Series(found.adjustment).fill_nan(None),
        is_trimmed=pl.Series(found.is_trimmed),
        model_version=pl.lit(VERSION),
        as_of=pl.lit(last_day, dtype=pl.Date),
    )
    keys = {name: part[name][0] for name in KEY}
    quality = pl.DataFrame(
        [
            {**keys, "figure": figure, "fact": fact, "fact_value": value, "band": band,
             "amount": None if np.isnan(amount) else amount, "model_version": VERSION, "as_of": last_day}
            for figure, fact, value, band, amount in found.figures
        ],
        schema=QUALITY_SCHEMA,
    )  # fmt: skip
    return weighted.cast(WEIGHTS_SCHEMA), quality  # type: ignore[arg-type]


def weights_of_responses(invitations: pl.DataFrame, facts: Sequence[str], rules: Sequence[Rule]) -> pl.DataFrame:
    """Adjustment of each answered invitation, from rows: what the warehouse does with a `group by` before and a join after.

    Args:
        invitations: source, survey_id, period, invitation_id, the facts (text or categories), is_delivered, is_answered.

    Returns:
        source, survey_id, period, invitation_id, adjustment of the answered ones.
    """
    found = []
    for key in invitations.select(KEY).unique().sort(KEY).iter_rows():
        inside = [pl.col(name) == value for name, value in zip(KEY, key, strict=True)]
        part = invitations.filter(inside)
        single = _coded(part, facts)
        # Mixed radix: one whole number a class.
        number = np.zeros(part.height, dtype=np.int64)
        for code, size in zip(single.codes, single.sizes, strict=True):
            number = number * size + code
        _, first, of_class = np.unique(number, return_index=True, return_inverse=True)
        told = part["is_answered"].to_numpy()
        sent, delivered, answered = (
            np.bincount(of_class, weights=amounts, minlength=len(first)).astype(np.float64)
            for amounts in (None, part["is_delivered"].to_numpy(), told)
        )
        classes = Facts(single.names, tuple(code[first] for code in single.codes), single.values)
        adjustment = weigh(classes, sent, delivered, answered, rule_for(str(key[1]), rules)).adjustment
        found.append(
            part.filter(told).select(*KEY, "invitation_id").with_columns(adjustment=adjustment[of_class[told]])
        )
    return (
        pl.concat(found)
        if found
        else invitations.select(*KEY, "invitation_id").with_columns(adjustment=pl.lit(0.0)).clear()
    )
