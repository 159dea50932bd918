"""Zones that the macros take for an addition are one: by the engine's own history of each, hour by hour."""

from __future__ import annotations

import re

import duckdb
import pytest

from orchestration.settings import PROJECT_ROOT

DIALECT = (PROJECT_ROOT / "dbt_project" / "macros" / "dialect" / "dialect.sql").read_text(encoding="utf-8")
OFFSETS = {zone: int(seconds) for zone, seconds in re.findall(r"'([A-Z]\w+/\w+)': (-?\d+)", DIALECT)}


def test_there_are_zones_to_judge() -> None:
    assert OFFSETS["Asia/Shanghai"] == 28_800 and len(OFFSETS) == 8


@pytest.mark.parametrize("zone", OFFSETS)
def test_a_fixed_offset_is_what_the_history_of_the_zone_says(zone: str) -> None:
    since = re.search(r"utc_timestamp }} >= timestamp '([\d-]+)'", DIALECT)
    assert since is not None
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        found = connection.execute(
            "select min(ahead), max(ahead), max(back) from (select date_diff('second', utc, local) as ahead,"
            " date_diff('second', utc, timezone('UTC', timezone(?, local))) as back from (select utc, timezone(?, timezone('UTC', utc)) as local"
            " from generate_series(cast(? as timestamp), timestamp '2050-01-01', interval '1 hour') as hours (utc)))",
            [zone, zone, since[1]],
        ).fetchone()
    assert found == (OFFSETS[zone], OFFSETS[zone], 0)
