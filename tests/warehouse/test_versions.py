"""Which row of a key counts when the version itself cannot be read."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.warehouse.shop_project import make_shop_project

HEADER = "id,customer,kind,status,created,updated,deleted\n"


def test_a_row_with_an_unreadable_version_ranks_last_and_is_flagged(tmp_path: Path) -> None:
    project = make_shop_project(tmp_path)
    project.deliver(
        "tickets_20260301.csv",
        HEADER
        + "T1,C1,repair,open,2026-03-01 10:00:00,2026-03-01 10:00:00,no\n"
        + "T2,C1,repair,open,2026-03-01 10:00:00,some day,no\n",
    )
    project.deliver("tickets_20260302.csv", HEADER + "T1,C1,repair,closed,2026-03-01 10:00:00,soon,no\n")
    project.load("load-1")
    built = project.dbt("run", "--select", "+int_tickets")
    assert built.returncode == 0, built.stdout[-4000:]
    with duckdb.connect(str(project.settings.warehouse_path), read_only=True) as connection:
        rows = connection.execute(
            "select ticket_id, ticket_status, _status, array_to_string(_flags, ',') from intermediate.int_tickets order by ticket_id, _delivery"
        ).fetchall()
    assert rows == [
        ("T1", "open", "used", ""),
        ("T1", "closed", "superseded", "version:invalid"),
        ("T2", "open", "used", "version:invalid"),
    ]
