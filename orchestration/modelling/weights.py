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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

VERSION = "1"
KEY = ("source", "survey_id", "period")
COUNTS = ("invitation_class", "sent", "delivered", "answered", "last_day")
"""Columns of a frame of classes beside the key and the facts."""
MOST_STEPS = 50
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
        facts, margins = (tuple(filter(None, (row[name] or "").replace(" ", "").split(";"))) for name in ("facts", "margins"))
        unknown = sorted({*facts, *margins} - set(known))
        if unknown:
            raise ValueError(f"survey_weighting {row['survey_id']}: {', '.join(unknown)} is no fact; use {', '.join(known)}")
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


def fit_logistic(design: sparse.csr_matrix, successes: Floats, trials: Floats, ridge: float) -> Fit:
    """Binomial logistic regression with a ridge penalty `ridge / 2 * sum(b^2)`; the intercept is free.

    Args:
        design: rows x columns, without a column for the intercept.
        successes, trials: counts per row, `0 <= successes <= trials`.

    Newton steps, halved as long as a step makes the penalised likelihood worse.
    """
    rows, columns = design.shape
    full = sparse.hstack([sparse.csr_matrix(np.ones((rows, 1))), design], format="csr")
    penalty = np.concatenate([[0.0], np.full(columns, ridge)])
    rate = (successes.sum() + 0.5) / (trials.sum() + 1.0)
    beta = np.zeros(columns + 1)
    beta[0] = np.log(rate / (1 - rate))

    def loss(at: Floats) -> float:
        eta = np.asarray(full @ at)
        return float((trials * np.logaddexp(0.0, eta) - successes * eta).sum() + 0.5 * (penalty * at * at).sum())

    now, steps, done = loss(beta), 0, False
    while steps < MOST_STEPS and not done:
        steps += 1
        p = _expit(np.asarray(full @ beta))
        gradient = np.asarray(full.T @ (successes - trials * p)) - penalty * beta
        curvature = (full.T @ full.multiply((trials * p * (1 - p))[:, None])).toarray() + np.diag(penalty)
        # Without a free direction for the intercept (all answered, or none) the curvature vanishes there.
        curvature[0, 0] += 1e-10
        move = np.linalg.solve(curvature, gradient)
        size, after = 1.0, loss(beta + move)
        while after > now + 1e-12 * abs(now) and size > 1e-6:
            size /= 2
            after = loss(beta + size * move)
        beta, now = beta + size * move, after
        done = bool(np.abs(size * move).max() < CLOSE_ENOUGH)
    return Fit(float(beta[0]), beta[1:], steps, done)


def _expit(eta: Floats) -> Floats:
    bounded: Floats = 1.0 / (1.0 + np.exp(-np.clip(eta, -500, 500)))
    return bounded


def indicators(codes: Sequence[Codes], sizes: Sequence[int]) -> sparse.csr_matrix:
    """One column of 0 and 1 a value of each fact; `codes` are the values' numbers, one array a fact, of equal length."""
    rows = len(codes[0]) if codes else 0
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    if not codes:
        return sparse.csr_matrix((rows, 0))
    columns = np.column_stack([code + start for code, start in zip(codes, starts[:-1], strict=True)]).ravel()
    pointers = np.arange(rows + 1, dtype=np.int64) * len(codes)
    return sparse.csr_matrix((np.ones(len(columns)), columns, pointers), shape=(rows, int(starts[-1])))


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
            found.append(float(np.abs(np.bincount(code, weights=weights, minlength=len(target)) - target).max() / total))
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
    band = np.minimum((middle / trials.sum() * bands).astype(np.int64), bands - 1) if len(p) else np.zeros(0, dtype=np.int64)
    found = []
    for number in np.unique(band):
        inside = band == number
        n = float(trials[inside].sum())
        found.append((n, float((p * trials)[inside].sum() / n), float(successes[inside].sum() / n)))
    return found


def classes_of(invitations: pl.DataFrame, facts: Sequence[str]) -> pl.DataFrame:
    """One row per source, survey, period and class of invitations: the facts, `invitation_class`, sent, delivered, answered, last_day."""
    return (
        invitations.lazy()
        .group_by(*KEY, *facts)
        .agg(
            sent=pl.len().cast(pl.Int64),
            delivered=pl.col("is_delivered").sum().cast(pl.Int64),
            answered=pl.col("is_answered").sum().cast(pl.Int64),
            last_day=pl.col("last_day").max(),
        )
        .with_columns(invitation_class=pl.concat_str([pl.col(fact).cast(pl.String) for fact in facts], separator="|"))
        .collect()
    )


def response_weights(classes: pl.DataFrame, rules: Sequence[Rule]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Adjustments of all surveys and periods, and how good they are.

    Args:
        classes: one row per source, survey_id, period and class: the facts (text), invitation_class, sent >= delivered >= answered,
            last_day.

    Returns:
        One row per class with the schema WEIGHTS_SCHEMA; and one per source, survey, period, figure, fact, value and band with
        QUALITY_SCHEMA. The adjustments of a period's answers add up to the number of invitations sent. `model_state`: fitted,
        not_converged, too_few_answers (all of a period's answers have the same adjustment), no_answers, no_rule.
    """
    facts = [name for name in classes.columns if name not in (*KEY, *COUNTS)]
    found: list[pl.DataFrame] = []
    figures: list[pl.DataFrame] = []
    ordered = classes.sort(*KEY, "invitation_class")
    for part in ordered.partition_by(*KEY, maintain_order=True) if ordered.height else []:
        weighted, quality = _one_period(part, facts, rule_for(part["survey_id"][0], rules))
        found.append(weighted)
        figures.append(quality)
    return (
        pl.concat(found) if found else pl.DataFrame(schema=WEIGHTS_SCHEMA),
        pl.concat(figures) if figures else pl.DataFrame(schema=QUALITY_SCHEMA),
    )


def _coded(part: pl.DataFrame, facts: Sequence[str]) -> Mapping[str, tuple[Codes, list[str]]]:
    found = {}
    for fact in facts:
        told = part[fact].cast(pl.String)
        values = told.unique().sort().to_list()
        found[fact] = (told.cast(pl.Enum(values)).to_physical().to_numpy().astype(np.int64), values)
    return found


def _one_period(part: pl.DataFrame, facts: Sequence[str], rule: Rule | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    sent, delivered, answered = (part[name].to_numpy().astype(np.float64) for name in ("sent", "delivered", "answered"))
    asked, n = float(sent.sum()), float(answered.sum())
    figures: list[tuple[str, str | None, str | None, int | None, float]] = [
        ("sent", None, None, None, asked),
        ("delivered", None, None, None, float(delivered.sum())),
        ("answered", None, None, None, n),
    ]
    rows = part.height
    propensity, nonresponse, factor = np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan)
    adjustment, cut = np.full(rows, asked / n if n > 0 else np.nan), np.zeros(rows, dtype=bool)
    coded = _coded(part, facts)
    if n == 0:
        state = "no_answers"
    elif rule is None:
        state = "no_rule"
    elif n < rule.minimum_answers:
        state = "too_few_answers"
    else:
        codes = [coded[fact][0] for fact in rule.facts]
        sizes = [len(coded[fact][1]) for fact in rule.facts]
        design = indicators(codes, sizes) if codes else sparse.csr_matrix((rows, 0))
        fit = fit_logistic(design, answered, delivered, rule.ridge)
        propensity = _expit(fit.intercept + np.asarray(design @ fit.coefficients))
        nonresponse = 1.0 / propensity
        scaled = nonresponse * (asked / float((nonresponse * answered).sum()))
        margins = [coded[fact][0] for fact in rule.margins]
        targets = [np.bincount(code, weights=sent, minlength=len(coded[fact][1])) for code, fact in zip(margins, rule.margins, strict=True)]
        raked = rake(scaled * answered, margins, targets)
        factor = raked.factors
        adjustment, cut = trim(scaled * factor, answered, rule.cap)
        state = "fitted" if fit.has_converged else "not_converged"
        figures += _figures(fit, propensity, answered, delivered, rule, coded, raked)
        figures += _margins(rule, coded, sent, answered, adjustment)
        figures.append(("trimmed_share", None, None, None, float(answered[cut].sum() / n)))
        figures.append(("largest_relative_adjustment", None, None, None, float(adjustment[answered > 0].max() * n / asked)))
    if n > 0:
        effective = effective_n(adjustment, answered)
        figures += [("effective_n", None, None, None, effective), ("design_effect", None, None, None, n / effective)]
    figures.append(("has_model", None, None, None, float(state in ("fitted", "not_converged"))))
    last_day: date = part["last_day"].max()  # type: ignore[assignment]
    weighted = part.select(*KEY, "invitation_class", "sent", "delivered", "answered").with_columns(
        model_state=pl.lit(state),
        propensity=pl.Series(propensity).fill_nan(None),
        nonresponse_weight=pl.Series(nonresponse).fill_nan(None),
        raking_factor=pl.Series(factor).fill_nan(None),
        adjustment=pl.Series(adjustment).fill_nan(None),
        is_trimmed=pl.Series(cut),
        model_version=pl.lit(VERSION),
        as_of=pl.lit(last_day, dtype=pl.Date),
    )
    keys = {name: part[name][0] for name in KEY}
    quality = pl.DataFrame(
        [
            {**keys, "figure": figure, "fact": fact, "fact_value": value, "band": band,
             "amount": None if np.isnan(amount) else amount, "model_version": VERSION, "as_of": last_day}
            for figure, fact, value, band, amount in figures
        ],
        schema=QUALITY_SCHEMA,
    )  # fmt: skip
    return weighted.cast(WEIGHTS_SCHEMA), quality  # type: ignore[arg-type]


_Figure = tuple[str, str | None, str | None, int | None, float]


def _figures(
    fit: Fit, p: Floats, answered: Floats, delivered: Floats, rule: Rule, coded: Mapping[str, tuple[Codes, list[str]]], raked: Raked
) -> list[_Figure]:
    """How good the model is, on the invitations it was fitted to."""
    rate = float(answered.sum() / delivered.sum())
    found: list[_Figure] = [
        ("auc", None, None, None, area_under_curve(p, answered, delivered)),
        ("brier", None, None, None, brier_score(p, answered, delivered)),
        ("brier_of_the_mean_rate", None, None, None, brier_score(np.full(len(p), rate), answered, delivered)),
        ("has_converged", None, None, None, float(fit.has_converged)),
        ("steps", None, None, None, float(fit.steps)),
        ("intercept", None, None, None, fit.intercept),
        ("raking_rounds", None, None, None, float(raked.rounds)),
        ("raking_has_converged", None, None, None, float(raked.has_converged)),
        ("raking_largest_gap", None, None, None, raked.largest_gap),
    ]
    position = 0
    for fact in rule.facts:
        code, values = coded[fact]
        tried = np.bincount(code, weights=delivered, minlength=len(values))
        told = np.bincount(code, weights=answered, minlength=len(values))
        for number, value in enumerate(values):
            found.append(("coefficient", fact, value, None, float(fit.coefficients[position + number])))
            if tried[number] > 0 and told[number] in (0.0, tried[number]):
                found.append(("separated", fact, value, None, float(tried[number])))
        position += len(values)
    for number, (n, predicted, observed) in enumerate(calibration(p, answered, delivered)):
        found.append(("calibration_invitations", None, None, number + 1, n))
        found.append(("calibration_predicted", None, None, number + 1, predicted))
        found.append(("calibration_observed", None, None, number + 1, observed))
    for fact, empty in zip(rule.margins, raked.empty, strict=True):
        code, values = coded[fact]
        found += [("margin_without_answers", fact, values[number], None, 1.0) for number in empty]
    return found


def _margins(
    rule: Rule, coded: Mapping[str, tuple[Codes, list[str]]], sent: Floats, answered: Floats, adjustment: Floats
) -> list[_Figure]:
    """Shares of each value of each margin: wanted, among the answers as they are, among the weighted answers."""
    found: list[_Figure] = []
    for fact in rule.margins:
        code, values = coded[fact]
        for figure, weights in (
            ("margin_wanted", sent),
            ("margin_before", answered),
            ("margin_after", answered * adjustment),
        ):
            shares = np.bincount(code, weights=weights, minlength=len(values)) / weights.sum()
            found += [(figure, fact, value, None, float(share)) for value, share in zip(values, shares, strict=True)]
    return found


def weights_of_responses(invitations: pl.DataFrame, facts: Sequence[str], rules: Sequence[Rule]) -> pl.DataFrame:
    """Adjustment of each answered invitation, from rows: what the warehouse does with a join in SQL.

    Args:
        invitations: source, survey_id, period, invitation_id, the facts (text), is_delivered, is_answered, last_day.

    Returns:
        source, survey_id, period, invitation_id, adjustment of the answered ones.
    """
    classes = classes_of(invitations, facts)
    # The facts may be categories, which are cheaper than text; what the model returns is text.
    plain = classes.with_columns(pl.col(*KEY).cast(pl.String))
    weighted, _ = response_weights(plain, rules)
    told = plain.select(*KEY, "invitation_class").join(
        weighted.select(*KEY, "invitation_class", "adjustment"), on=[*KEY, "invitation_class"], how="left", maintain_order="left"
    )
    by_facts = classes.select(*KEY, *facts).with_columns(told["adjustment"])
    return (
        invitations.lazy()
        .filter(pl.col("is_answered"))
        .join(by_facts.lazy(), on=[*KEY, *facts], how="left")
        .select(*KEY, "invitation_id", "adjustment")
        .collect()
    )
