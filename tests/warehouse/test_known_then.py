"""Late, repeated, corrected and deleted rows: what was known on a day is what a home says that received nothing after it."""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboards.data.metrics import metric_frame
from dashboards.data.snapshot import open_snapshot
from orchestration.operations import as_known
from orchestration.serving import build
from orchestration.sources import files
from tests.serving.comparing import differing_in_snapshots
from tests.warehouse.shop_project import ShopProject, make_shop_project
from tests.warehouse.test_incremental_equals_full import Deliveries


def _load_at(project: ShopProject, moment: datetime, load_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return moment.astimezone(tz)

    with monkeypatch.context() as patched:
        patched.setattr(files, "datetime", Clock)
        project.load(load_id)


@pytest.mark.slow
def test_what_was_known_is_what_a_home_says_that_received_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_shop_project(tmp_path)
    project.replace_seed(
        "targets", *(f"tickets_created,{target},{since}" for target, since in ((10, "2026-01-01"), (20, "2026-03-12")))
    )
    monkeypatch.setattr(as_known, "load_declarations", lambda _: project.declarations)
    settings = project.settings
    deliveries = Deliveries(4)
    first, second, third = deliveries.runs(3)
    then = ShopProject(tmp_path, tmp_path / "then")
    for names, moment, load_id in (
        (first, datetime(2026, 3, 9, 3, tzinfo=UTC), "a"),
        (second, datetime(2026, 3, 10, 15, 59, 59, tzinfo=UTC), "b"),
        (third, datetime(2026, 3, 10, 16, tzinfo=UTC), "c"),  # midnight in Shanghai: the next day
    ):
        if load_id == "c":
            then.home.mkdir()
            shutil.copy(project.settings.raw_path, then.settings.raw_path)
        for name in names:
            project.deliver(name, deliveries.files[name])
        _load_at(project, moment, load_id, monkeypatch)
    then.build(full=True)
    received_no_more = build.build_snapshot(
        then.settings, run_id="then", now=datetime(2026, 3, 10, 20, tzinfo=UTC)
    ).path

    said: list[str] = []
    known = as_known.snapshot_as_known_on(settings, date(2026, 3, 10), said.append)
    assert (known.files, known.loads, known.last_load_id) == (len(first) + len(second), 2, "b")
    assert differing_in_snapshots(known.path, received_no_more) == {}
    assert re.search(r"building and testing the warehouse \(\d+ of \d+\)", "\n".join(said))

    everything = as_known.snapshot_as_known_on(settings, date(2026, 3, 12), lambda _: None)
    assert everything.loads == 3
    splits = (
        (["tickets_created", "tickets_solved"], [], "day"),
        (["tickets_created"], ["org_unit_id"], None),
        (["csat_top2", "nps"], [], "day"),
        (["calls_offered", "abandonment_rate"], [], "day"),
    )
    with (
        closing(open_snapshot(known.path)) as old,
        closing(open_snapshot(received_no_more)) as same,
        closing(open_snapshot(everything.path)) as new,
    ):
        for metrics, by, grain in splits:
            answer = metric_frame(old, metrics, by=by, grain=grain).to_dicts()
            assert answer == metric_frame(same, metrics, by=by, grain=grain).to_dicts(), metrics
            assert answer != metric_frame(new, metrics, by=by, grain=grain).to_dicts(), metrics
        corrected = "select count(*) as n from fct_load_accounting where source = 'shop' and superseded > 0"
        assert new.rows(corrected)[0]["n"] > old.rows(corrected)[0]["n"], "nothing was corrected by the last load"
        facts = "select data_until, is_stale, (select target from meta.metrics where name = 'tickets_created') as target from meta.snapshot"
        # The clock of such a snapshot stands at the end of its day: targets, days ahead, and whether a source was late.
        assert (old.rows(facts)[0]["target"], new.rows(facts)[0]["target"]) == (10, 20)
        assert old.rows(facts)[0]["data_until"] <= date(2026, 3, 10)
        assert not old.rows(facts)[0]["is_stale"]
    late = as_known.snapshot_as_known_on(settings, date(2026, 3, 12), said.append)
    assert late == everything
    assert len(list((project.home / "as_known").glob("*/serving"))) == as_known.KEPT

    project.add_to_seed("targets", "tickets_solved,5,2026-01-01")
    assert (
        as_known._key(
            settings, known.day, as_known._ledger_by(settings, known.until, known.day), dict(project.declarations)
        )
        != known.path.parent.parent.name
    ), "another definition is another answer"
