"""How well the links between the systems' customers agree with the truth of the built-in company.

    CSATLAS_HOME=… python -m tests.bench.identity

Compares pairs: two records of one customer that were linked, of all that were linked (precision) and of all that should
have been (recall). Belongs here: the measure. Does not belong here: linking, which is dbt's (models/intermediate/identity).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import polars as pl

from orchestration.settings import Settings, load_settings


@dataclass(frozen=True)
class Quality:
    """Agreement of links with the truth, over all pairs of records.

    Attributes:
        records: records of customers that both the warehouse and the truth know.
        unknown_records: records of the warehouse that the truth does not have (planted rows without a person).
        true_pairs: pairs of records of one customer.
        linked_pairs: pairs that have one customer key.
        right_pairs: pairs that are both.
        unrelated_pairs: linked pairs of strangers: not of one customer, and not a contact person with his own enterprise or colleague.
    """

    records: int
    unknown_records: int
    true_pairs: int
    linked_pairs: int
    right_pairs: int
    unrelated_pairs: int

    @property
    def precision(self) -> float | None:
        """Share of the linked pairs that are right; None without linked pairs."""
        return self.right_pairs / self.linked_pairs if self.linked_pairs else None

    @property
    def recall(self) -> float | None:
        """Share of the true pairs that are linked; None without true pairs."""
        return self.right_pairs / self.true_pairs if self.true_pairs else None


def _pairs(records: pl.DataFrame, *by: str) -> int:
    counts = records.group_by(*by).len()["len"].cast(pl.Int64)
    return int((counts * (counts - 1) // 2).sum())


def matched(settings: Settings) -> pl.DataFrame:
    """Every record of a customer with its key and, where the truth knows it, its entity.

    Columns: source, customer_id, customer_key, link_method, evidence, entity_id, belongs_to.
    """
    truth_path = settings.home / "demo" / "truth.json"
    truth = json.loads(truth_path.read_text(encoding="utf-8"))
    identities = pl.read_parquet(truth_path.parent / truth["tables"]["identities"]["path"]).with_columns(
        source=pl.col("system").replace("zendesk_organization", "zendesk"), customer_id=pl.col("id")
    )
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
        links = warehouse.execute(
            "select source, customer_id, customer_key, link_method, evidence from marts.dim_customer_links"
        ).pl()
    return links.join(
        identities.select("source", "customer_id", "entity_id", "belongs_to"), on=["source", "customer_id"], how="left"
    )


def measure(records: pl.DataFrame) -> Quality:
    """Quality of the links of `matched`."""
    known = records.filter(pl.col("entity_id").is_not_null())
    house = pl.coalesce("belongs_to", "entity_id").alias("house")
    return Quality(
        records=known.height,
        unknown_records=records.height - known.height,
        true_pairs=_pairs(known, "entity_id"),
        linked_pairs=_pairs(known, "customer_key"),
        right_pairs=_pairs(known, "entity_id", "customer_key"),
        unrelated_pairs=_pairs(known, "customer_key") - _pairs(known.with_columns(house), "customer_key", "house"),
    )


def by_pair_of_sources(records: pl.DataFrame) -> pl.DataFrame:
    """True and found pairs for each two sources: where the links are missing."""
    known = records.filter(pl.col("entity_id").is_not_null()).select(
        "source", "customer_id", "customer_key", "entity_id"
    )
    both = known.join(known, on="entity_id", suffix="_2").filter(
        pl.concat_str("source", pl.lit("/"), "customer_id") < pl.concat_str("source_2", pl.lit("/"), "customer_id_2")
    )
    return (
        both.group_by("source", "source_2")
        .agg(true_pairs=pl.len(), found=(pl.col("customer_key") == pl.col("customer_key_2")).sum())
        .with_columns(recall=pl.col("found") / pl.col("true_pairs"))
        .sort("source", "source_2")
    )


def main(home: Path | None = None) -> None:
    """Print the quality of a home's links as JSON."""
    settings = load_settings() if home is None else Settings(home=home)
    records = matched(settings)
    quality = measure(records)
    print(
        json.dumps(
            asdict(quality)
            | {"precision": quality.precision, "recall": quality.recall}
            | {"by_pair_of_sources": by_pair_of_sources(records).to_dicts()},
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
