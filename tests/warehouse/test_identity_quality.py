"""Deterministic identity against the known truth of the built-in company."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from orchestration.settings import Settings
from tests.bench.identity import by_pair_of_sources, matched, measure


def test_nobody_is_linked_with_a_stranger_and_most_are_found(demo_home: Path) -> None:
    records = matched(Settings(home=demo_home))
    quality = measure(records)
    assert quality.records > 500
    # The one kind of wrong link: a contact person who gave the enterprise's own telephone number.
    assert quality.unrelated_pairs == 0
    wrong = records.filter(pl.col("entity_id").n_unique().over("customer_key") > 1)
    assert wrong.filter(pl.col("belongs_to").is_not_null())["evidence"].str.contains("phone").all()
    assert quality.precision is not None and quality.precision > 0.9
    # What is missed has no identifier in common: names and addresses would have to decide.
    assert quality.recall is not None and quality.recall > 0.9
    split = records.filter(
        pl.col("entity_id").is_not_null() & (pl.col("customer_key").n_unique().over("entity_id") > 1)
    )
    assert split.height > 0
    assert (
        split.filter(pl.col("link_method") == "alone").group_by("entity_id").len().height
        == split["entity_id"].n_unique()
    )
    assert by_pair_of_sources(records)["true_pairs"].sum() == quality.true_pairs


def test_the_measure_itself() -> None:
    """Two records of A are linked, the third is not; one of B is linked with a stranger, C, and D with D's own enterprise E."""
    records = pl.DataFrame(
        {
            "source": ["x"] * 9,
            "customer_id": [str(n) for n in range(9)],
            "customer_key": ["k1", "k1", "k2", "k3", "k3", "k4", "k4", "k5", "k5"],
            "entity_id": ["A", "A", "A", "B", "C", "D", "E", "F", None],
            "belongs_to": [None, None, None, None, None, "E", None, None, None],
        }
    )
    quality = measure(records)
    assert (quality.records, quality.unknown_records) == (8, 1)
    assert (quality.true_pairs, quality.linked_pairs, quality.right_pairs, quality.unrelated_pairs) == (3, 3, 1, 1)
    assert (quality.precision, quality.recall) == (1 / 3, 1 / 3)
    assert measure(records.clear()).precision is None
