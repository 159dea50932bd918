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
        histories = connection.sql(
            "select 'shop' as source, md5(i::varchar) as customer_key, true as is_current, date '2027-01-01' as as_of, 'CNY' as currency,"
            " x::integer as repeat_purchases, case when x = 0 then 0 else 1 + (hash(i, 2) % age)::integer end as recency_days, age::integer as age_days, x::integer as money_purchases,"
            " x * (20e0 + hash(i, 3) % 80) * (1 + 1.2e0 * ((hash(i, 8) % 1000) / 1000e0 - 0.5e0) / sqrt(greatest(x, 1))) as repeat_amount, (x + 1) * 50e0 as total_amount, (x + 1) * 50e0 as costed_amount, (x + 1) * 30e0 as cost_amount, 0e0 as returned_amount,"
            " null::integer as purchases_after, false as has_other_currency from"
            f" (select i, case when hash(i, 4) % 10 < 5 then 0 else hash(i, 5) % 12 end as x, 60 + hash(i, 6) % 700 as age from range({customers}) as r (i))"
        ).pl()
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
