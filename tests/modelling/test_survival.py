"""Curves and hazards of leaving against published values, against lifelines, and against a company whose hazards are known."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from lifelines import KaplanMeierFitter

from orchestration.modelling.survival import (
    CURVE_SCHEMA,
    HAZARD_SCHEMA,
    churn_hazards,
    kaplan_meier,
    median_days,
    survival_curves,
)

AML = [
    (9, True),
    (13, True),
    (13, False),
    (18, True),
    (23, True),
    (28, False),
    (31, True),
    (34, True),
    (45, False),
    (48, True),
    (161, False),
]
"""Weeks of the maintained group (Miller 1981); False = still in remission when last seen."""


def _times(rows: list[tuple[int, int, bool]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["entry_days", "exit_days", "is_left"], orient="row").with_columns(
        spells=pl.lit(1, dtype=pl.Int64)
    )


def _spells(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(product_line=pl.lit("all"), spells=pl.lit(1, dtype=pl.Int64))


def test_the_published_curve() -> None:
    curve = kaplan_meier(_times([(0, weeks, left) for weeks, left in AML]))
    left = curve.filter(pl.col("departures") > 0)
    assert left["days"].to_list() == [9, 13, 18, 23, 31, 34, 48]
    assert left["survival"].round(3).to_list() == [0.909, 0.818, 0.716, 0.614, 0.491, 0.368, 0.184]
    assert left["at_risk"].to_list() == [11, 10, 8, 7, 5, 4, 2]
    assert median_days(curve) == 31
    # Standard errors as printed for the same data by R's survival package.
    assert left["standard_error"].round(4).to_list() == [0.0867, 0.1163, 0.1397, 0.1526, 0.1642, 0.1627, 0.1535]


def test_counted_rows_are_as_single_rows() -> None:
    rows = [(0, weeks, left) for weeks, left in AML]
    doubled = _times(rows).with_columns(spells=pl.lit(2, dtype=pl.Int64))
    assert kaplan_meier(doubled).equals(kaplan_meier(_times(rows * 2)))


@pytest.mark.parametrize("seed", range(5))
def test_late_entry_as_lifelines_has_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 400
    entry = np.where(rng.random(n) < 0.5, 0, rng.integers(0, 60, n))
    life = rng.integers(1, 90, n)
    keep = life > entry
    entry, life = entry[keep], life[keep]
    exit_ = np.minimum(life, entry + rng.integers(1, 40, len(life)))
    left = exit_ == life
    curve = kaplan_meier(_times(list(zip(entry.tolist(), exit_.tolist(), left.tolist(), strict=True))))
    oracle = KaplanMeierFitter().fit(exit_, left, entry=entry)
    at = curve["days"].to_list()
    assert curve["from_days"][0] == 0
    assert curve["survival"].to_numpy() == pytest.approx(oracle.predict(at).to_numpy(), abs=1e-9)
    bounds = oracle.confidence_interval_survival_function_.loc[at].to_numpy()
    inside = curve.select("low", "high").to_numpy()
    known = ~np.isnan(inside[:, 0])
    assert known.any() and inside[known] == pytest.approx(bounds[known], abs=1e-4)


def test_a_curve_begins_where_enough_are_at_risk() -> None:
    """One of one leaves at 5, long before thirty come under observation at 100: that is no curve that falls to nothing."""
    rows = [(0, 5, True)] + [(100, 100 + day, day <= 10) for day in range(1, 31)]
    curve = kaplan_meier(_times(rows))
    assert curve["from_days"].unique().to_list() == [100] and curve["survival"].min() == pytest.approx(20 / 30)
    with_base = kaplan_meier(_times([(0, 5, True), (0, 200, False), *rows[1:]]), least=10)
    assert with_base["from_days"].unique().to_list() == [100] and with_base["departures"].sum() == 10
    # Where nobody comes later, everybody has left.
    assert kaplan_meier(_times([(0, 5, True)]))["survival"].to_list() == [0.0]


def test_a_life_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="at or before its entry"):
        kaplan_meier(_times([(5, 5, True)]))


def _company(n: int = 60_000, seed: int = 3, late: float = 1.0) -> pl.DataFrame:
    """Lives in months of 31 days under observation for 15 months; enterprises leave at 0.6 of the hazard of persons, after a complaint 2 times (times `late` beyond two years)."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["person", "enterprise"], n, p=[0.8, 0.2])
    history = rng.choice(["none", "complained"], n, p=[0.7, 0.3])
    province = rng.choice(["A", "B", "C"], n, p=[0.5, 0.3, 0.2])
    tier = np.where(rng.random(n) < 0.3, "vip", "ordinary")
    entry = rng.integers(0, 60, n)
    months = np.zeros(n, dtype=int)
    left = np.zeros(n, dtype=bool)
    for step in range(15):
        age = entry + step
        hazard = (
            0.01
            * np.where(kind == "enterprise", 0.6, 1)
            * np.where(history == "complained", 2 * np.where(age >= 24, late, 1), 1)
        )
        running = ~left
        months[running] += 1
        left |= running & (rng.random(n) < hazard)
    return _spells(
        pl.DataFrame(
            {
                "customer_kind": kind, "province": province, "complaint_history": history, "customer_tier": tier,
                "entry_days": np.floor(entry * 30.4375 + 1).astype(int), "exit_days": np.floor((entry + months) * 30.4375 - 1).astype(int), "is_left": left,
            }
        )
    )  # fmt: skip


def test_hazards_of_a_company_whose_hazards_are_known() -> None:
    frame = churn_hazards(_company(), as_of=date(2026, 1, 31), least=10)
    rows = {(row["property"], row["level"]): row for row in frame.iter_rows(named=True)}
    assert frame.schema == pl.Schema(HAZARD_SCHEMA)
    for key, truth in (
        (("customer_kind", "enterprise"), 0.6),
        (("complaint_history", "complained"), 2.0),
        (("province", "B"), 1.0),
        (("province", "C"), 1.0),
        (("customer_tier", "vip"), 1.0),
    ):
        row = rows[key]
        assert row["state"] == "estimated" and row["low"] < truth < row["high"] and row["high"] / row["low"] < 1.35, key
        assert row["is_proportional"], key
    assert (
        rows["customer_kind", "person"]["hazard_ratio"] == 1.0
        and rows["customer_kind", "person"]["state"] == "reference"
    )


def test_a_ratio_that_changes_with_age_is_found() -> None:
    frame = churn_hazards(_company(late=0.4), as_of=None, least=10)
    row = frame.filter(pl.col("level") == "complained").row(0, named=True)
    assert not row["is_proportional"] and row["late_ratio"] < 0.7
    assert frame.filter(pl.col("level") == "enterprise")["is_proportional"].item()


def test_few_departures_have_no_ratio() -> None:
    rare = _company(4_000).with_columns(
        province=pl.when(pl.int_range(pl.len()) < 8).then(pl.lit("D")).otherwise("province")
    )
    row = churn_hazards(rare, as_of=None, least=10).filter(pl.col("level") == "D").row(0, named=True)
    assert row["state"] == "too_few" and row["hazard_ratio"] is None and row["stretches"] == 8
    nobody = churn_hazards(rare.with_columns(is_left=False), as_of=None, least=10)
    assert set(nobody["state"]) == {"too_few"}


def test_nothing_gives_nothing_of_the_same_shape() -> None:
    empty = _company(10).clear()
    assert survival_curves(empty, as_of=None, least=1).schema == pl.Schema(CURVE_SCHEMA)
    assert churn_hazards(empty, as_of=None, least=1).schema == pl.Schema(HAZARD_SCHEMA)


def test_the_order_of_rows_does_not_matter() -> None:
    spells = _company(3_000)
    other = spells.sample(fraction=1.0, shuffle=True, seed=1)
    assert survival_curves(spells, as_of=None, least=10).equals(survival_curves(other, as_of=None, least=10))
    assert churn_hazards(spells, as_of=None, least=10).equals(churn_hazards(other, as_of=None, least=10))
