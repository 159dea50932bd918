"""How well the data are known: remarks on rows, records that no feed saw, bases of metrics whose dimensions are unknown.

Belongs here: what the page of data health asks of these marts. Does not belong here: loads, accounting and quarantine (queries).
"""

from __future__ import annotations

from typing import Any

from dashboards.data.snapshot import Snapshot

Rows = list[dict[str, Any]]


def row_flags(snapshot: Snapshot) -> Rows:
    """Rows that are used although something is doubtful, by source, feed and remark, the most first."""
    return snapshot.rows(
        "select source, feed, flag, row_count from fct_row_flags order by row_count desc, source, feed, flag"
    )


def file_coverage(snapshot: Snapshot) -> dict[str, Any] | None:
    """Whether every record of the loaded files was seen by a feed; None without files.

    Returns:
        files, records (loaded in them), reference (files that supply no feed and are looked up), missed (files with records that no feed saw) and rows of these.
    """
    (row,) = snapshot.rows(
        "select count(*) as files, coalesce(sum(records_loaded), 0)::bigint as records, count(*) filter (where is_reference_only) as reference,"
        " count(*) filter (where not is_covered and not is_reference_only) as missed from fct_file_coverage"
    )
    if not row["files"]:
        return None
    rows = snapshot.rows(
        "select source, table_name, records_loaded, records_seen from fct_file_coverage where not is_covered and not is_reference_only"
        " order by records_loaded - records_seen desc, file_id"
    )
    return {**row, "rows": rows}


def unknown_shares(snapshot: Snapshot) -> Rows:
    """Of each metric and dimension the share of its base of which the value is unknown, the most first; the number of known values, and its days."""
    return snapshot.rows(
        "select metric, dimension, cast(sum(base) as bigint) as base, coalesce(sum(share) filter (where not is_known), 0) as unknown_share,"
        " count(*) filter (where is_known) as known_values, min(first_day) as first_day, max(last_day) as last_day"
        " from fct_metric_coverage group by metric, dimension order by unknown_share desc, metric, dimension"
    )
