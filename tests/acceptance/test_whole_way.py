"""What must be true of the public data as of any data: nothing lost, twice changes nothing, order and cut of the deliveries do not matter."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration import warehouse
from orchestration.build_plan import GOOD
from orchestration.settings import Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox
from tests.acceptance.conftest import LOAD_FACTS, SOURCES, TIME_ZONE, RealHome, file_rows

pytestmark = pytest.mark.real_data

# Marts about loading itself differ with the cut of the files; what they say is checked by other tests.
ABOUT_LOADING = {"fct_loads", "fct_load_accounting", "fct_file_coverage", "dim_sources", "dim_customer_history"}


def real_files(data: Path) -> Iterator[tuple[str, Path]]:
    for source in SOURCES:
        for path in sorted((data / source).iterdir()):
            yield source, path


def test_every_record_of_every_file_is_loaded(real_home: RealHome) -> None:
    """Counted with Python's csv module: quoted line breaks and a byte-order mark make no records."""
    expected = {
        (source, path.name): len(file_rows(path, "\t" if path.suffix == ".txt" else ",")) - 1
        for source, path in real_files(real_home.data)
    }
    assert len(expected) == 20
    assert {
        (source, name): count
        for source, name, count in real_home.rows("select source, file_name, row_count from fct_loads")
    } == expected
    states = real_home.rows("select distinct file_status, damaged_count, load_path from fct_loads")
    assert states == [("loaded", 0, "fast")]


def test_every_record_reaches_staging(real_home: RealHome) -> None:
    for source, declaration in load_declarations(SOURCES).items():
        for table in declaration.tables.values():
            seen = " union ".join(
                f"select _file_id, _record_number from warehouse.staging.stg_{source}__{feed} where _table = '{table.name}'"
                for feed in table.feeds
            )
            assert real_home.rows(
                f"select count(*) from (select _file_id, _record_number from raw.raw_{source}.{table.name} except ({seen}))"
            ) == [(0,)]
            for feed in table.feeds:
                raw, found = real_home.rows(
                    f"select (select count(*) from raw.raw_{source}.{table.name}),"
                    f" (select count(distinct (_file_id, _record_number)) from warehouse.staging.stg_{source}__{feed} where _table = '{table.name}')"
                )[0]
                assert raw == found, f"{source}.{table.name} -> {feed}"


def test_accounting_balances(real_home: RealHome) -> None:
    rows = real_home.rows(
        "select source, feed, received, used, superseded, quarantined, is_balanced from fct_load_accounting"
    )
    assert {(source, feed) for source, feed, *_ in rows} == {
        (name, feed) for name, d in load_declarations(SOURCES).items() for feed in d.feeds
    }
    assert all(
        balanced and received == used + superseded + quarantined
        for *_, received, used, superseded, quarantined, balanced in rows
    )


def test_only_what_runs_backwards_is_quarantined(real_home: RealHome) -> None:
    found = real_home.rows("select source, feed, reasons, count(*) from fct_quarantined_rows group by all")
    assert sorted(found) == [
        ("anonymous_bank_calls", "call_events", "duration_seconds:below_minimum", 58),
        ("anonymous_bank_calls", "calls", "ivr_seconds:below_minimum", 58),
    ]
    contents = real_home.rows(
        "select distinct content is not null and file_name is not null and record_number > 0 from fct_quarantined_rows"
    )
    assert contents == [(True,)]


def test_the_snapshot_holds_the_facts(real_home: RealHome) -> None:
    status = json.loads((real_home.settings.serving / "status.json").read_text(encoding="utf-8"))
    assert status["outcome"] == "published"
    with duckdb.connect(str((real_home.settings.serving / "current").resolve()), read_only=True) as snapshot:
        for mart in ("fct_tickets", "fct_calls", "fct_survey_answers", "fct_transactions", "dim_org_units"):
            found = snapshot.execute(f"select count(*) from {mart}").fetchall()
            assert found == real_home.rows(f"select count(*) from {mart}"), mart


def test_a_second_refresh_changes_nothing(real_home: RealHome) -> None:
    before = real_home.contents()
    record = real_home.refresh()
    assert record["outcome"] == "published" and record["rows_loaded"] == 0
    assert real_home.contents() == before


# -- other cuts, other order ---------------------------------------------------------------------------------------------


def _write(folder: Path, name: str, records: list[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"".join(records))


def _lines(path: Path) -> tuple[bytes, list[bytes]]:
    """Header and lines of a file without line breaks inside of its records."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    header, *lines = content.splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines[-1] += b"\n"
    return header, lines


def _deliver_first(data: Path, inbox: Path) -> None:
    """Late things first: February, the second half of every log in disorder, what clients did before who they are."""
    shuffled = random.Random(7)
    (inbox / "anonymous_bank_calls").mkdir(parents=True)
    shutil.copy(data / "anonymous_bank_calls" / "02_February.txt", inbox / "anonymous_bank_calls")
    header, lines = _lines(data / "uci_incidents" / "incident_event_log.csv.gz")
    odd = lines[1::2]
    shuffled.shuffle(odd)
    _write(inbox / "uci_incidents", "incident_event_log_odd.csv", [header, *odd])
    for name in ("crm_events", "CRMCallCenterLogs"):
        header, lines = _lines(data / "retail_bank" / f"{name}.csv")
        _write(inbox / "retail_bank", f"{name}_2.csv", [header, *lines[len(lines) // 2 :]])
    for year in ("2016", "2013"):
        header, lines = _lines(data / "sfo_surveys" / f"{year}_SFO_Customer_Survey.csv")
        _write(inbox / "sfo_surveys", f"{year}_SFO_part2.csv", [header, *reversed(lines[1000:])])


def _deliver_rest(data: Path, inbox: Path) -> None:
    """Everything else, and some of it again."""
    header, lines = _lines(data / "anonymous_bank_calls" / "01_January.txt")
    _write(inbox / "anonymous_bank_calls", "01_January_a.txt", [header, *lines[20_000:]])
    _write(inbox / "anonymous_bank_calls", "01_January_b.txt", [header, *lines[:20_000]])
    header, lines = _lines(data / "uci_incidents" / "incident_event_log.csv.gz")
    _write(inbox / "uci_incidents", "incident_event_log_even.csv", [header, *lines[0::2]])
    for name in ("crm_events", "CRMCallCenterLogs"):
        header, lines = _lines(data / "retail_bank" / f"{name}.csv")
        _write(inbox / "retail_bank", f"{name}_1.csv", [header, *lines[: len(lines) // 2 + 500]])
    for year in ("2016", "2013"):
        header, lines = _lines(data / "sfo_surveys" / f"{year}_SFO_Customer_Survey.csv")
        _write(inbox / "sfo_surveys", f"{year}_SFO_part1.csv", [header, *lines[:1000]])
    for source, names in (("retail_bank", ("completed*", "crm_reviews*")), ("sfo_surveys", ("201[01245]*",))):
        for name in names:
            for path in (data / source).glob(name):
                shutil.copy(path, inbox / source)


def test_files_cut_otherwise_and_in_another_order_give_the_same_marts(real_home: RealHome, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", sources=SOURCES, time_zone=TIME_ZONE)
    declarations = load_declarations(SOURCES)
    with duckdb.connect(str(real_home.settings.raw_path), read_only=True) as raw:
        ((salt,),) = raw.execute("select salt from raw_meta.home").fetchall()
    for number, deliver in enumerate((_deliver_first, _deliver_rest), 1):
        deliver(real_home.data, settings.inbox)
        report = load_inbox(settings, declarations, f"load-{number}")
        assert Counter(result.status for result in report.files if result.status != "skipped") == {
            "loaded": len(report.of_status("loaded"))
        }
        if number == 1:
            # The keys of customers hang on the home's secret.
            with duckdb.connect(str(settings.raw_path)) as raw:
                raw.execute("update raw_meta.home set salt = ?", [salt])
        log = warehouse.run_build(settings, warehouse.plan_of(settings), full=False, tell=lambda _: None)
        results = json.loads((settings.dbt_target / "run_results.json").read_text(encoding="utf-8"))["results"]
        assert {row["status"] for row in results} <= {*GOOD}, log.read_text(encoding="utf-8")[-4000:]
    pieces = RealHome(settings, real_home.data)
    found = {mart: content for mart, content in pieces.contents(LOAD_FACTS).items() if mart not in ABOUT_LOADING}
    expected = {mart: content for mart, content in real_home.contents(LOAD_FACTS).items() if mart not in ABOUT_LOADING}
    different = {mart for mart in expected if found[mart] != expected[mart]}
    assert different == set()
    assert pieces.one("select bool_and(is_balanced) from fct_load_accounting")
    # 500 complaints and calls came twice: superseded, not counted twice.
    twice = (
        "select sum(superseded) from fct_load_accounting where source = 'retail_bank' and feed in ('tickets', 'calls')"
    )
    assert pieces.one(twice) == 1000
