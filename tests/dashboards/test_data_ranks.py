"""Fair ranks: places by hand, what has no place, and how often the true place lies outside."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboards.data import intervals
from dashboards.data.metrics import Metric, MetricError
from dashboards.data.ranks import Places, fair_ranks
from tests.conftest import csatlas

SHARE = Metric(
    name="good", type="ratio", label_en="", label_zh="", description_en="", description_zh="", formula="", unit="share", direction="up",
    family="good", is_default=True, clock="day", interval="wilson", minimum_base=30, default_grain="day", target=None, version=1, headline=None,
    model="m", parts=(), expression=None, inputs={}, dimensions=(), vendor_names={},
)  # fmt: skip


def share(successes: int, n: int) -> dict[str, Any]:
    low, high = intervals.wilson(successes, n) or (None, None)
    return {"value": successes / n if n else None, "low": low, "high": high, "is_small_base": n < 30}


def test_who_is_surely_better_and_who_is_not_told_apart() -> None:
    rows = [share(950, 1000), share(945, 1000), share(700, 1000), share(25, 40), share(9, 10), share(0, 0)]
    assert fair_ranks(SHARE, rows) == [
        Places(1, 2),
        Places(1, 2),
        Places(3, 4),
        Places(3, 4),
        Places(None, None),
        Places(None, None),
    ]
    fewer_is_better = replace(SHARE, direction="down")
    assert fair_ranks(fewer_is_better, rows)[:4] == [Places(3, 4), Places(3, 4), Places(1, 2), Places(1, 2)]


def test_one_alone_is_the_first() -> None:
    assert fair_ranks(SHARE, [share(15, 30)]) == [Places(1, 1)]
    assert fair_ranks(SHARE, []) == []


def test_more_data_narrow_the_places() -> None:
    narrow = fair_ranks(SHARE, [share(k * 100, 10_000) for k in (50, 52, 54, 56)])
    wide = fair_ranks(SHARE, [share(k, 100) for k in (50, 52, 54, 56)])
    assert wide == [Places(1, 4)] * 4
    assert narrow == [Places(4, 4), Places(3, 3), Places(2, 2), Places(1, 1)]


def test_the_true_place_is_hardly_ever_outside() -> None:
    random = np.random.default_rng(11)
    missed = total = 0
    for _ in range(300):
        truth = random.beta(40, 8, 15)
        bases = random.integers(40, 900, 15)
        counts = random.binomial(bases, truth)
        found = fair_ranks(SHARE, [share(int(k), int(n)) for k, n in zip(counts, bases, strict=True)])
        true_places = (-truth).argsort().argsort() + 1
        missed += sum(not at.best <= place <= at.worst for at, place in zip(found, true_places, strict=True))  # type: ignore[operator]
        total += 15
    assert missed / total <= 0.05


@pytest.mark.parametrize("change", [{"direction": "none"}, {"interval": "none"}])
def test_what_cannot_be_ranked_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(MetricError, match="good has no"):
        fair_ranks(replace(SHARE, **change), [share(1, 50)])  # type: ignore[arg-type]


def test_the_command_ranks_agents(demo_home: Path) -> None:
    done = csatlas(demo_home, "metric", "transfer_rate", "--by", "agent_id", "--rank", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    places = [(row["best_place"], row["worst_place"]) for row in rows if row["best_place"] is not None]
    assert len(places) >= 5
    assert places == sorted(places)
    assert all(1 <= best <= worst <= len(places) for best, worst in places)
    assert all(row["best_place"] is None for row in rows if row["is_small_base"])
    refused = csatlas(demo_home, "metric", "transfer_rate", "--rank")
    assert refused.returncode == 2
    assert "--rank takes one metric with --by" in refused.stderr
