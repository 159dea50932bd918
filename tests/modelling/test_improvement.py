"""Effects of actions: the estimates beside sums written out here, many invented companies whose truth is known, and edges."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from orchestration.modelling.improvement import (
    DIFFERENCE,
    EFFECTS_SCHEMA,
    RELAPSE,
    SERIES,
    difference,
    improvement_effects,
    interrupted,
    months_needed,
)

FIRST, LAST = date(2025, 1, 1), date(2026, 6, 30)
SETTINGS: dict[str, Any] = {"compared_days": 364, "dip_days": 28, "period_days": 28, "minimum": 20}
UNITS = [f"U{number:02d}" for number in range(12)]
OURS = UNITS[:4]


def an_action(number: int = 1, **other: Any) -> dict[str, Any]:
    return {
        "source": "crm", "improvement_action_id": f"A{number}", "action_status": "checked", "started_on": date(2025, 9, 1), "done_on": date(2025, 10, 1),
        "as_of": LAST, "causes": "late", "cause_basis": "root_cause", "units": ";".join(OURS), **other,
    }  # fmt: skip


ACTION_TYPES = {name: pl.Date if name.endswith("_on") or name == "as_of" else pl.String for name in an_action()}


def actions(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=ACTION_TYPES)


def company(
    seed: int, factor: float, *, rate: float = 0.05, units: list[str] = UNITS, burst: int = 0, customers: int = 1000
) -> pl.DataFrame:
    """Complaints of three causes by day; those of `late` in OURS times `factor` from 2025-10-01 on, and `burst` more of them in the August before."""
    random = np.random.default_rng(seed)
    days = (LAST - FIRST).days + 1
    rows = []
    for unit in units:
        for cause in ("late", "bill", "rude"):
            means = np.full(days, rate)
            if cause == "late" and unit in OURS:
                means[(date(2025, 10, 1) - FIRST).days :] *= factor
            counts = random.poisson(means)
            if cause == "late" and unit in OURS and burst:
                counts[(date(2025, 8, 10) - FIRST).days :][:20] += random.poisson(burst / 80, 20)
            rows += [
                ("complaints", unit, cause, "t_" + cause, FIRST + timedelta(days=int(d)), int(counts[d]))
                for d in np.flatnonzero(counts)
            ]
        if customers:
            rows += [
                ("customers", unit, "none", "none", date(2025 + m // 12, m % 12 + 1, 1), customers) for m in range(18)
            ]
    names = ["part", "org_unit_id", "cause", "topic", "counted_on", "units"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(as_of=pl.lit(LAST))


def effect(days: pl.DataFrame, method: str = DIFFERENCE, *rows: dict[str, Any]) -> dict[str, Any]:
    found = improvement_effects(actions(*(rows or (an_action(),))), days, **SETTINGS)
    assert found.schema == pl.Schema(EFFECTS_SCHEMA)
    return found.filter((pl.col("method") == method) & (pl.col("improvement_action_id") == "A1")).row(0, named=True)


def test_the_difference_is_that_of_sums_written_out_here() -> None:
    days = company(1, 0.5)
    row = effect(days)
    # Periods of 28 days back from 2025-08-04 (28 days before the start) and on from 2025-10-01, whole ones only.
    start, done = date(2025, 9, 1) - timedelta(days=28), date(2025, 10, 1)
    before = [start - timedelta(days=28 * k) for k in range((start - FIRST).days // 28, 0, -1)]
    after = [done + timedelta(days=28 * k) for k in range(((LAST - done).days + 1) // 28)]
    assert (row["before_from"], row["before_until"]) == (before[0], start - timedelta(days=1))
    assert (row["after_from"], row["after_until"]) == (done, after[-1] + timedelta(days=27))
    assert (row["periods_before"], row["periods_after"]) == (len(before), len(after)) == (7, 9)
    table: dict[tuple[str, int], int] = {}
    starts = before + after
    for line in days.filter((pl.col("part") == "complaints") & (pl.col("cause") == "late")).iter_rows(named=True):
        for number, first in enumerate(starts):
            if first <= line["counted_on"] < first + timedelta(days=28):
                table[line["org_unit_id"], number] = table.get((line["org_unit_id"], number), 0) + line["units"]
    total = {
        (ours, late): sum(n for (unit, k), n in table.items() if (unit in OURS) == ours and (k >= 7) == late)
        for ours in (True, False)
        for late in (True, False)
    }
    assert [row[name] for name in ("complaints_before", "complaints_after", "others_before", "others_after")] == [
        total[True, False], total[True, True], total[False, False], total[False, True],
    ]  # fmt: skip
    # Customers are the same in all units and months: they fall out.
    ratio = (total[True, True] / total[True, False]) / (total[False, True] / total[False, False])
    assert row["rate_ratio"] == pytest.approx(ratio, rel=1e-6)
    # The dispersion once more: of the share of ours in each period, and of the share of after in each unit.
    by_period = 0.0
    for k in range(16):
        ours, all_of_them = (
            sum(n for (u, p), n in table.items() if p == k and (u in OURS or every)) for every in (False, True)
        )
        share = total[True, k >= 7] / (total[True, k >= 7] + total[False, k >= 7])
        by_period += (ours - all_of_them * share) ** 2 / (all_of_them * share * (1 - share)) / 14
    by_unit = 0.0
    for unit in UNITS:
        late, both = (
            sum(n for (u, p), n in table.items() if u == unit and (p >= 7 or every)) for every in (False, True)
        )
        share = total[unit in OURS, True] / (total[unit in OURS, True] + total[unit in OURS, False])
        by_unit += (late - both * share) ** 2 / (both * share * (1 - share)) / 10
    wide = max(1.0, by_period, by_unit)
    assert row["dispersion"] == pytest.approx(wide, rel=1e-6)
    error = math.sqrt(wide * sum(1 / n for n in total.values()))
    t = stats.t(10)
    assert row["ratio_low"] == pytest.approx(ratio * math.exp(-t.ppf(0.975) * error), rel=1e-6)
    assert row["ratio_high"] == pytest.approx(ratio * math.exp(t.ppf(0.975) * error), rel=1e-6)
    assert row["detectable_ratio"] == pytest.approx(math.exp(-(t.ppf(0.975) + t.ppf(0.8)) * error), rel=1e-6)
    assert row["verdict"] == "fell" and row["reason"] is None and row["base"] == "customers"


def test_the_series_is_the_maximum_of_its_likelihood() -> None:
    """A search over a grid, which knows no derivatives, finds the same step; the errors are those of the textbook's matrices."""
    random = np.random.default_rng(7)
    after = np.arange(16) >= 7
    exposure = np.linspace(900, 1100, 16)
    counts = random.poisson(np.exp(-4 + 0.02 * np.arange(16) - 0.6 * after) * exposure).astype(float)
    found = interrupted(counts, exposure, after)
    assert found is not None

    def likelihood(a: float, b: float, c: float) -> float:
        log_mean = a + b * np.arange(16) + c * after + np.log(exposure)
        return float((counts * log_mean - np.exp(log_mean)).sum())

    best, width = [-4.0, 0.0, 0.0], 1.0
    for _ in range(1200):
        moves = [
            [best[k] + step * (k == j) * width * (0.1 if j == 1 else 1) for k in range(3)]
            for j in range(3)
            for step in (-1, 1)
        ]
        top = max(moves, key=lambda move: likelihood(*move))
        if likelihood(*top) > likelihood(*best):
            best = top
        else:
            width *= 0.7
    assert found.log_ratio == pytest.approx(best[2], abs=2e-3)
    x = np.column_stack([np.ones(16), np.arange(16), after])
    mean = np.exp(best[0] + best[1] * np.arange(16) + best[2] * after) * exposure
    bread = np.linalg.inv(x.T @ np.diag(mean) @ x)
    wide = max(1.0, ((counts - mean) ** 2 / mean).sum() / 13)
    middle = np.zeros((3, 3))
    for i in range(16):
        for j in range(max(0, i - 1), min(16, i + 2)):
            middle += (1.0 if i == j else 0.5) * np.outer(x[i] * (counts[i] - mean[i]), x[j] * (counts[j] - mean[j]))
    robust = (bread @ middle @ bread)[2, 2] * 16 / 13
    assert found.error == pytest.approx(math.sqrt(max(wide * bread[2, 2], robust)), rel=5e-3)


@pytest.mark.parametrize(("factor", "burst"), [(1.0, 0), (0.55, 0), (1.0, 120)])
def test_intervals_cover_the_truth_as_often_as_they_say(factor: float, burst: int) -> None:
    """A hundred companies each; a burst just before the action, the reason why it was begun, does not count as its effect."""
    covered = {DIFFERENCE: 0, SERIES: 0}
    wrong = {DIFFERENCE: 0, SERIES: 0}
    for seed in range(100):
        found = improvement_effects(
            actions(an_action()), company(seed, factor, rate=0.03, burst=burst, units=UNITS[:10]), **SETTINGS
        )
        for row in found.filter(pl.col("method") != RELAPSE).iter_rows(named=True):
            covered[row["method"]] += row["ratio_low"] <= factor <= row["ratio_high"]
            wrong[row["method"]] += factor == 1 and row["verdict"] in ("fell", "rose")
    for method in covered:
        assert 90 <= covered[method] <= 100, (covered, wrong)
        assert wrong[method] <= 8


def test_what_hit_everybody_is_no_effect_but_a_unit_of_its_own_widens_the_interval() -> None:
    after = np.arange(12) >= 6
    here = np.arange(8) < 3
    even = np.full((8, 12), 10.0)
    halved = even * np.where(after, 0.5, 1.0)
    plain = difference(halved, np.ones((8, 12)), here, after)
    assert plain is not None and plain.log_ratio == pytest.approx(0.0) and not plain.is_significant
    odd = even.copy()
    odd[5, 8] = 200
    found = difference(odd, np.ones((8, 12)), here, after)
    assert found is not None and found.dispersion > 5 and not found.is_significant


def test_a_unit_with_another_action_on_the_cause_is_no_unit_to_compare_with() -> None:
    other = an_action(2, units="U10;U11", started_on=date(2025, 11, 1), done_on=None, action_status="doing")
    row = effect(company(3, 0.6), DIFFERENCE, an_action(), other)
    assert (row["units_outside"], row["units_left_out"]) == (6, 2)
    for free in ({"causes": "bill"}, {"action_status": "cancelled"}, {"started_on": date(2026, 7, 1)}):
        assert effect(company(3, 0.6), DIFFERENCE, an_action(), other | free)["units_left_out"] == 0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"action_status": "cancelled"}, "cancelled"),
        ({"done_on": None}, "not_done"),
        ({"started_on": None}, "not_done"),
        ({"done_on": date(2027, 1, 1)}, "not_done"),
        ({"causes": None}, "cause_unknown"),
        ({"units": None}, "no_unit_in_scope"),
        ({"units": "elsewhere"}, "no_unit_in_scope"),
        ({"started_on": date(2025, 1, 10), "done_on": date(2025, 1, 20)}, "too_short_before"),
        ({"done_on": date(2026, 6, 1)}, "too_short_after"),
        ({"causes": "unheard_of"}, "too_few_complaints"),
    ],
)
def test_what_cannot_be_judged_says_why(changed: dict[str, Any], reason: str) -> None:
    for method in (DIFFERENCE, SERIES, RELAPSE):
        row = effect(company(4, 0.5), method, an_action(**changed))
        assert (row["verdict"], row["reason"]) == ("not_judged", reason)
        assert row["rate_ratio"] is None and row["ratio_low"] is None and row["detectable_ratio"] is None


def test_an_action_everywhere_has_only_its_own_past() -> None:
    row = an_action(units=";".join(UNITS))
    assert effect(company(5, 0.5), DIFFERENCE, row)["reason"] == "no_units_outside"
    assert effect(company(5, 0.5), SERIES, row)["rate_ratio"] is not None


def test_without_customers_rates_are_per_day() -> None:
    row = effect(company(6, 0.5, customers=0))
    assert row["base"] == "days" and row["rate_ratio"] == pytest.approx(effect(company(6, 0.5))["rate_ratio"], rel=1e-6)


def test_a_scope_may_name_topics_and_a_root_cause_does_not() -> None:
    by_topic = an_action(causes="t_late", cause_basis="scope")
    assert effect(company(8, 0.5), DIFFERENCE, by_topic)["rate_ratio"] == effect(company(8, 0.5))["rate_ratio"]
    assert (
        effect(company(8, 0.5), DIFFERENCE, by_topic | {"cause_basis": "root_cause"})["reason"] == "too_few_complaints"
    )


def test_the_order_of_rows_does_not_matter() -> None:
    days = company(9, 0.7)
    both = actions(an_action(), an_action(2, causes="bill"))
    straight = improvement_effects(both, days, **SETTINGS)
    assert straight.equals(
        improvement_effects(both.reverse(), days.sample(fraction=1.0, shuffle=True, seed=1), **SETTINGS)
    )
    assert improvement_effects(both.clear(), days, **SETTINGS).is_empty()
    assert improvement_effects(both, days.clear(), **SETTINGS).is_empty()


def test_months_needed_make_the_ratio_just_significant() -> None:
    counts = np.array([[40.0, 20.0], [90.0, 80.0]])
    table = np.vstack([np.repeat(row[:, None] / 6, 6, axis=1).reshape(1, 12) for row in counts])
    after = np.arange(12) >= 6
    found = difference(table, np.ones((2, 12)), np.array([True, False]), after)
    assert found is None  # two units leave no degree of freedom
    table = np.vstack([table[:1] / 2, table[:1] / 2, table[1:] / 2, table[1:] / 2])
    found = difference(table, np.ones((4, 12)), np.array([True, True, False, False]), after)
    assert found is not None
    wanted = months_needed(found, counts, (6, 6), 28)
    if wanted is not None:
        grown = counts[:, 1] * wanted * 30.4375 / 28 / 6
        error = math.sqrt(found.dispersion * ((1 / counts[:, 0]).sum() + (1 / grown).sum()))
        assert stats.t(found.df).ppf(0.975) * error == pytest.approx(abs(found.log_ratio), rel=1e-6)
    strong = difference(table * 20, np.ones((4, 12)), np.array([True, True, False, False]), after)
    assert strong is not None
    shorter = months_needed(strong, counts * 20, (6, 6), 28)
    assert shorter is not None and 0 < shorter < 5.5 and strong.is_significant
