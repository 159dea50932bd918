"""The draw of lost customers: fair, spread over the classes, with a lot that holds some out."""

from __future__ import annotations

from collections import Counter
from datetime import date

import polars as pl
import pytest
from scipy import stats

from orchestration.operations.winback_draws import CANDIDATES, DRAWN, draw_customers

DAY = date(2026, 10, 31)


def _candidates(classes: dict[tuple[str, str], int]) -> pl.DataFrame:
    rows = [
        (f"{fee}-{gone}-{number}", "U1", "person", fee, gone)
        for (fee, gone), count in classes.items()
        for number in range(count)
    ]
    return pl.DataFrame(rows, schema=CANDIDATES, orient="row")


MIXED = {("low", "1-90"): 15, ("low", "366+"): 5, ("high", "1-90"): 10}


def test_each_customer_has_the_same_chance_and_the_same_lot() -> None:
    candidates, runs = _candidates(MIXED), 1500
    drawn, held = Counter[str](), Counter[str]()
    for seed in range(runs):
        found = draw_customers(candidates, DAY, 10, 0.2, seed)
        drawn.update(found["customer_key"])
        held.update(found.filter(pl.col("assignment") == "held_out")["customer_key"])
    # Systematic draws vary less than independent ones: the statistic is smaller than chi-square, never larger.
    for counted, chance in ((drawn, 10 / 30), (held, 2 / 30)):
        statistic = sum(
            (counted[name] - runs * chance) ** 2 / (runs * chance * (1 - chance)) for name in candidates["customer_key"]
        )
        assert statistic < stats.chi2.ppf(0.999, 29)


def test_the_draw_and_the_lot_spread_over_the_classes() -> None:
    candidates = _candidates({("low", "1-90"): 60, ("high", "1-90"): 40})
    for seed in range(100):
        drawn = draw_customers(candidates, DAY, 50, 0.2, seed)
        assert Counter(drawn["fee_class"]) == {"low": 30, "high": 20}, seed
        held = Counter(drawn.filter(pl.col("assignment") == "held_out")["fee_class"])
        assert held == {"low": 6, "high": 4}, seed
        assert set(drawn["probability"]) == {0.5}


def test_the_same_seed_gives_the_same_draw() -> None:
    candidates = _candidates(MIXED)
    drawn = draw_customers(candidates, DAY, 5, 0.4, 11)
    assert drawn.columns == DRAWN
    assert draw_customers(candidates.sample(fraction=1, shuffle=True, seed=1), DAY, 5, 0.4, 11).equals(drawn)
    assert not draw_customers(candidates, DAY, 5, 0.4, 12).equals(drawn)
    assert not draw_customers(candidates, date(2026, 11, 1), 5, 0.4, 11).equals(drawn)
    # The draw of today, for ever: a change of the method would have to change METHOD.
    assert list(zip(drawn["customer_key"], drawn["assignment"], strict=True)) == FIXED


FIXED = [
    ("high-1-90-8", "treated"), ("low-1-90-11", "treated"), ("low-1-90-4", "held_out"), ("low-1-90-5", "treated"), ("low-366+-2", "held_out"),
]  # fmt: skip


def test_edges() -> None:
    candidates = _candidates(MIXED)
    everybody = draw_customers(candidates, DAY, 99, 0.0, 1)
    assert (
        everybody.height == 30
        and set(everybody["assignment"]) == {"treated"}
        and set(everybody["probability"]) == {1.0}
    )
    assert draw_customers(candidates, DAY, 0, 0.5, 1).is_empty()
    assert draw_customers(pl.DataFrame(schema=CANDIDATES), DAY, 5, 0.5, 1).is_empty()
    with pytest.raises(ValueError, match="there twice"):
        draw_customers(pl.concat([candidates, candidates]), DAY, 5, 0.2, 1)
    for size, share in ((-1, 0.2), (5, 1.0), (5, -0.1)):
        with pytest.raises(ValueError, match="control_share"):
            draw_customers(candidates, DAY, size, share, 1)
