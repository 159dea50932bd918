"""`python -m tests.bench risk --customers N`: scores of churn risk and lifetime value of N customers.

Belongs here: reading the features of N customers from a DuckDB table, scoring them in pieces, and writing the scores back, as `score_customer_risk`
does it; the fit on 100,000 customers and nine past days; and the values of N customers with orders. The goal is 60 seconds for 5 million customers.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from orchestration.modelling.lifetime import customer_values, value_parameters
from orchestration.modelling.risk import in_chunks, risk_model
from orchestration.settings import PROJECT_ROOT

DAYS = 9


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _features(seed: pl.DataFrame, day: str) -> str:
    """Columns of the features, filled with counts, amounts and categories of plausible shape."""
    columns = []
    for number, row in enumerate(seed.iter_rows(named=True)):
        draw = f"(hash(i * 131 + {day} * 7 + {number}) % 1000000) / 1000000.0"
        if row["value_kind"] == "category":
            columns.append(f"'k' || cast(floor(6 * {draw}) as integer) as {row['feature']}")
        else:
            columns.append(f"case when {draw} < 0.6 then 0 else round(-20 * ln({draw}), 4) end as {row['feature']}")
    return ", ".join(columns)


def _histories(customers: int) -> pl.DataFrame:
    """Histories of purchases of 200,000 simulated customers of the model itself, over and over."""
    rng = np.random.default_rng(1)
    n = min(customers, 200_000)
    rate, drop, level = rng.gamma(0.8, 1 / 6.0, n), rng.beta(0.9, 3.0, n), 6 / rng.gamma(4.0, 1 / 30.0, n)
    age = rng.integers(60, 760, n)
    bought, last, spent = np.zeros(n, dtype=np.int64), np.zeros(n), np.zeros(n)
    clock, living = np.zeros(n), np.ones(n, dtype=bool)
    while living.any():
        clock[living] += np.maximum(7 * rng.exponential(1 / rate[living]), 1.0)
        living &= clock < age
        bought[living] += 1
        last[living] = np.floor(clock[living])
        spent[living] += level[living] * rng.gamma(6.0, 1.0, int(living.sum())) * 30
        living &= rng.random(n) >= drop
    table = pl.DataFrame(
        {
            "repeat_purchases": bought, "recency_days": last.astype(np.int64), "age_days": age, "money_purchases": bought, "repeat_amount": spent,
            "total_amount": spent + 50, "costed_amount": spent + 50, "cost_amount": (spent + 50) * 0.6,
        }
    )  # fmt: skip
    return table[np.arange(customers) % n].with_columns(
        source=pl.lit("shop"),
        customer_key=pl.int_range(pl.len()).cast(pl.String).str.zfill(32),
        is_current=pl.lit(True),
        as_of=pl.lit(date(2027, 1, 1)),
        currency=pl.lit("CNY"),
        returned_amount=pl.lit(0.0),
        purchases_after=pl.lit(None, dtype=pl.Int32),
    )


def measure_risk(folder: Path, customers: int) -> dict[str, Any]:
    """Seconds and peak memory."""
    seed = pl.read_csv(PROJECT_ROOT / "seeds" / "risk_features.csv")
    names = ", ".join(["as_of", "customer_key", *sorted(seed["feature"].to_list())])
    found: dict[str, Any] = {"customers": customers, "features": seed.height}
    with duckdb.connect(str(folder / "bench.duckdb")) as connection:
        connection.execute("set threads = 2")
        connection.execute(f"create table past as select date '2026-01-01' + 30 * cast(day as integer) as as_of, md5(i::varchar) as customer_key, hash(i, day) % 29 = 0 as has_left, {_features(seed, 'day')} from range({min(customers, 100_000)}) as r (i), range({DAYS}) as d (day)")  # fmt: skip
        connection.execute(f"create table here as select date '2027-01-01' as as_of, md5(i::varchar) as customer_key, {_features(seed, '99')} from range({customers}) as r (i)")  # fmt: skip
        past = connection.sql("select * from past").pl()
        started = time.monotonic()
        newest = past.filter(pl.col("as_of") == past["as_of"].max())
        table = risk_model(
            past, newest, seed, as_of=date(2026, 12, 1), horizon_days=90, minimum_departures=50, auc_limit=0.9
        )
        found |= {"learning_rows": past.height, "fit_seconds": round(time.monotonic() - started, 1)}
        del past, newest

        def batches() -> Iterator[pl.DataFrame]:
            for batch in connection.sql(f"select {names} from here").to_arrow_reader(500_000):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame

        started = time.monotonic()
        scores = in_chunks(batches, table).to_arrow()
        scored = time.monotonic() - started
        connection.execute("create table scores as select * from scores")
        found |= {
            "scoring_seconds": round(time.monotonic() - started, 1),
            "of_that_without_writing": round(scored, 1),
            "peak_megabytes": _peak(),
        }
        row = connection.execute("select count(*), count(churn_probability) from scores").fetchone()
        if row != (customers, customers):
            raise SystemExit(f"{row} of {customers} customers were scored")
        del scores
    histories = _histories(customers)
    rules = pl.read_csv(PROJECT_ROOT / "seeds" / "value_rules.csv", schema_overrides={"margin_share": pl.Float64})
    contracts = pl.DataFrame(
        schema={"source": pl.String, "is_current": pl.Boolean, "is_ended": pl.Boolean, "customer_key": pl.String}
    )
    started = time.monotonic()
    parameters = value_parameters(histories, contracts, rules)
    fitted = time.monotonic() - started
    values = customer_values(histories, contracts, parameters, rules)
    if values["lifetime_value"].null_count():
        raise SystemExit(f"customers without a value: {values['reason'].value_counts().rows()}")
    found |= {
        "value_fit_seconds": round(fitted, 1),
        "value_seconds": round(time.monotonic() - started - fitted, 1),
        "value_peak_megabytes": _peak(),
    }
    return found
