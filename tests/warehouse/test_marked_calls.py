"""Calls that agents of the built-in company marked as a nuisance or as misdirected: the metrics count those that the truth names, and no other number does."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, timedelta

import polars as pl
import pytest

from dashboards.data.metrics import Filters, metric_values
from dashboards.data.snapshot import SnapshotStore
from orchestration.demo.dirt import LATE_DAYS
from orchestration.settings import Settings

pytestmark = pytest.mark.slow


def test_the_metrics_count_what_the_truth_names(demo_settings: Settings) -> None:
    """Up to the days whose records may come with a later delivery."""
    folder = demo_settings.home / "demo"
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    until = date.fromisoformat(truth["plan"]["until"]) - timedelta(days=LATE_DAYS + 1)
    marked = pl.read_parquet(folder / truth["tables"]["marked_calls"]["path"]).with_columns(
        pl.col("started_at").dt.offset_by("8h").dt.date().alias("day")
    )
    marked = marked.filter(pl.col("day") <= until)
    true_counts = {f"calls_{mark}": count for mark, count in marked["mark"].value_counts().iter_rows()}
    assert set(true_counts) == {"calls_nuisance", "calls_misdirected"}
    store = SnapshotStore(demo_settings.serving)
    with closing(store):
        snapshot = store.current()
        found = {
            name: one.value for name, one in metric_values(snapshot, list(true_counts), Filters(end=until)).items()
        }
        rows = snapshot.rows(
            "select call_id, exclusion_kind, is_in_base, customer_key from fct_calls where exclusion_kind in ('nuisance', 'misdirected') and started_on <= ?",
            [until],
        )
        contacts = snapshot.rows("select contact_id from fct_contacts where contact_kind = 'call'")
    assert found == true_counts
    assert {row["call_id"]: row["exclusion_kind"] for row in rows} == dict(marked.select("call_id", "mark").iter_rows())
    assert not any(row["is_in_base"] for row in rows)
    assert not {f"call:{row['call_id']}" for row in rows} & {row["contact_id"] for row in contacts}
