"""Deliveries: the same seed gives the same bytes, a further day equals that day of a longer history, names hold."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from orchestration.demo import DemoError, generate, next_day
from orchestration.demo.delivery import SHAPES
from orchestration.demo.dirt import columns_of
from orchestration.sources.declarations import load_declarations
from tests.demo.conftest import Company

SMALL = {"customers": 200, "months": 3}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    end = date(2026, 3, 20)
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        generate(tmp_path / name / "inbox", seed=seed, end=end, **SMALL)
    first, second, other = (digests(tmp_path / name) for name in ("a", "b", "c"))
    assert first == second
    for table in (
        "zendesk/tickets_20260320.csv",
        "asterisk/queue_log_20260320.log",
        "crm/客户资料_20260320.csv",
    ):
        assert first[f"inbox/{table}"] != other[f"inbox/{table}"]


def test_single_further_days_equal_a_longer_history(tmp_path: Path) -> None:
    end = date(2026, 3, 20)
    generate(tmp_path / "whole" / "inbox", end=end, **SMALL)
    generate(tmp_path / "steps" / "inbox", end=end - timedelta(days=3), **SMALL)
    for _ in range(3):
        next_day(tmp_path / "steps" / "inbox")

    def lines(home: Path, stem: str) -> list[str]:
        files = [path for path in (home / "inbox").rglob(f"{stem}_*") if re.search(r"_\d{8}\.", path.name)]
        return sorted(line for path in files for line in path.read_text(encoding="utf-8-sig").splitlines())

    for stem in (
        "tickets",
        "ticket_comments",
        "queue_log",
        "Master",
        "answers",
        "invitations",
        "payments",
        "commitments",
        "offers",
        "agent_states",
    ):
        whole, steps = lines(tmp_path / "whole", stem), lines(tmp_path / "steps", stem)
        # A file more has one heading more; the rows are the same.
        assert set(whole) == set(steps), stem
    same = {
        name
        for name in digests(tmp_path / "whole" / "inbox")
        if "_20260320" in name or "_20260319" in name or "_20260318" in name
    }
    whole_bytes, step_bytes = digests(tmp_path / "whole" / "inbox"), digests(tmp_path / "steps" / "inbox")
    assert same and all(whole_bytes[name] == step_bytes[name] for name in same)
    assert (tmp_path / "whole/demo/truth/complaints.parquet").read_bytes() == (
        tmp_path / "steps/demo/truth/complaints.parquet"
    ).read_bytes()


def test_every_file_is_one_that_the_declarations_expect(company: Company) -> None:
    declared = load_declarations(["zendesk", "asterisk", "surveys", "crm", "billing", "retention"])
    for path in company.made.inbox.rglob("*"):
        if path.is_file():
            tables = declared[path.parent.name].tables
            assert any(
                fnmatch.fnmatch(path.name, pattern)
                for table in tables.values()
                for pattern in (table.pattern, table.pattern + ".gz")
            ), path.name
            assert re.search(r"\d{8}", path.name)
    for source, declaration in declared.items():
        for table in declaration.tables:
            assert f"{source}.{table}" in company.made.rows, f"nothing was delivered for {source}.{table}"


def test_columns_are_those_of_the_declarations(company: Company) -> None:
    for table in SHAPES:
        if SHAPES[table].suffix != ".xlsx":
            assert company.read(table, newest=True).columns == columns_of(table), table


def test_an_inbox_with_files_is_left_alone(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    (inbox / "zendesk").mkdir(parents=True)
    (inbox / "zendesk" / "tickets_20260101.csv").write_text("id\n1\n")
    with pytest.raises(DemoError, match="was not made by `csatlas demo`"):
        generate(inbox, end=date(2026, 3, 20), replace=True, **SMALL)
    assert (inbox / "zendesk" / "tickets_20260101.csv").read_text() == "id\n1\n"
    with pytest.raises(DemoError, match="Run `csatlas demo` first"):
        next_day(inbox)


def test_a_second_company_needs_to_be_asked_for(tmp_path: Path) -> None:
    inbox, end = tmp_path / "inbox", date(2026, 3, 20)
    generate(inbox, end=end, **SMALL)
    with pytest.raises(DemoError, match="--replace"):
        generate(inbox, end=end, **SMALL)
    before = digests(inbox)
    generate(inbox, end=end, seed=8, replace=True, **SMALL)
    assert digests(inbox) != before


@pytest.mark.parametrize(
    ("options", "message"),
    [({"customers": 10}, "from 50 to"), ({"months": 0}, "from 1 to 60"), ({"call_detail": "some"}, "'full' or 'lean'")],
)
def test_impossible_sizes_are_refused_in_words(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(tmp_path / "inbox", end=date(2026, 3, 20), **(SMALL | options))  # type: ignore[arg-type]


def test_the_number_of_calls_and_tickets_can_be_asked_for(tmp_path: Path) -> None:
    made = generate(
        tmp_path / "inbox",
        end=date(2026, 3, 31),
        customers=1_000,
        months=3,
        calls=20_000,
        tickets=2_000,
        call_detail="lean",
        dirty=False,
    )
    assert made.rows["asterisk.cdr"] == pytest.approx(20_000, rel=0.12)
    tickets = len(
        {
            line.split(",")[0]
            for path in (tmp_path / "inbox/zendesk").glob("tickets_*.csv")
            for line in path.read_text(encoding="utf-8").splitlines()[1:]
        }
    )
    assert tickets == pytest.approx(2_000, rel=0.2)
    assert made.rows["asterisk.queue_log"] / made.rows["asterisk.cdr"] < 4.5
