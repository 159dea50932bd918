"""Identity against the known truth of the built-in company."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from orchestration.settings import Settings
from tests.bench.identity import by_pair_of_sources, matched, measure


def test_links_are_right_and_nearly_all_are_found(demo_home: Path) -> None:
    records = matched(Settings(home=demo_home))
    quality = measure(records)
    assert quality.records > 500
    assert quality.unrelated_pairs == 0
    assert quality.precision is not None and quality.precision >= 0.99
    assert quality.recall is not None and quality.recall >= 0.95
    # A contact person is never taken for his enterprise, though some gave its number.
    people = records.filter(pl.col("belongs_to").is_not_null())
    firms = records.filter(pl.col("entity_id").is_in(people["belongs_to"].unique().to_list()))
    assert set(people["customer_key"]).isdisjoint(firms["customer_key"])
    # Customers entered twice in one system, and organisations without any identifier, are found by their names.
    found = by_pair_of_sources(records)
    assert found["true_pairs"].sum() == quality.true_pairs
    twice = found.filter((pl.col("source") == "crm") & (pl.col("source_2") == "crm"))
    assert twice.height == 0 or twice["recall"].item() >= 0.9
    assert "scored" in records["link_method"].to_list()


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
