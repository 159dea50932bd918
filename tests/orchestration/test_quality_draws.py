"""The draw of contacts to review: fair, repeatable, recorded, and checked afterwards."""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from scipy import stats

from orchestration.operations.quality_draws import CANDIDATES, DRAWN, draw_contacts
from tests.conftest import csatlas

MONTH = date(2026, 10, 1)


def _candidates(strata: dict[tuple[int, str, str], int], *, wanted: int = 5, agent: str = "A1") -> pl.DataFrame:
    """So many contacts of an agent by half of the month, channel and topic."""
    rows = [
        (agent, "pbx", "call", f"{half}-{channel}-{topic}-{number}", half, channel, topic, wanted)
        for (half, channel, topic), count in strata.items()
        for number in range(count)
    ]
    return pl.DataFrame(rows, schema=CANDIDATES, orient="row")


MIXED = {(1, "phone", "bill"): 13, (1, "chat", "bill"): 4, (2, "phone", "bill"): 7, (2, "phone", "repair"): 3}


def test_each_contact_has_the_same_chance() -> None:
    candidates, draws = _candidates(MIXED), 1500
    counted = Counter(
        contact for seed in range(draws) for contact in draw_contacts(candidates, MONTH, seed)["contact_id"]
    )
    expected = draws * 5 / 27
    assert len(counted) == 27
    # The contacts of one draw spread more evenly than independent ones: the statistic is then smaller than chi-square, never larger.
    statistic = sum((counted[name] - expected) ** 2 / (expected * (1 - 5 / 27)) for name in candidates["contact_id"])
    assert statistic < stats.chi2.ppf(0.999, 26)


def test_within_a_stratum_the_draw_is_uniform() -> None:
    # One contact of one stratum: its place is the multinomial of a fair die.
    candidates, draws = _candidates({(1, "phone", "bill"): 12}, wanted=1), 2400
    counted = Counter(draw_contacts(candidates, MONTH, seed)["contact_id"].item() for seed in range(draws))
    assert stats.chisquare([counted[name] for name in candidates["contact_id"]]).pvalue > 0.001
    # And so are pairs of two: no contact clings to another.
    both = _candidates({(1, "phone", "bill"): 6}, wanted=2)
    pairs = Counter(tuple(sorted(draw_contacts(both, MONTH, seed)["contact_id"])) for seed in range(draws))
    assert len(pairs) == 15
    assert stats.chisquare(list(pairs.values())).pvalue > 0.001


def test_the_draw_spreads_over_the_strata() -> None:
    strata = {(1, "phone", "bill"): 40, (1, "chat", "bill"): 20, (2, "phone", "bill"): 20, (2, "chat", "repair"): 20}
    for seed in range(200):
        drawn = draw_contacts(_candidates(strata), MONTH, seed)
        halves = Counter(drawn["half"])
        # 60 and 40 of 100: three and two of five, always; a simple random draw has that in a third of all cases.
        assert halves == {1: 3, 2: 2}, seed
        assert set(drawn["probability"]) == {0.05}


def test_nothing_is_drawn_twice_and_few_contacts_are_all_drawn() -> None:
    for count in range(1, 12):
        drawn = draw_contacts(_candidates({(1, "phone", "bill"): count}), MONTH, 3)
        assert drawn["contact_id"].n_unique() == drawn.height == min(5, count)
        assert set(drawn["probability"]) == {min(1.0, 5 / count)}
    assert draw_contacts(_candidates(MIXED, wanted=0), MONTH, 3).is_empty()
    assert draw_contacts(_candidates(MIXED, wanted=-2), MONTH, 3).is_empty()


def test_the_same_seed_gives_the_same_draw_and_agents_do_not_touch_each_other() -> None:
    one, other = _candidates(MIXED), _candidates(MIXED, agent="A2", wanted=3)
    both = pl.concat([one, other])
    drawn = draw_contacts(both, MONTH, 11)
    assert drawn.columns == DRAWN
    assert draw_contacts(both.sample(fraction=1, shuffle=True, seed=1), MONTH, 11).equals(drawn)
    assert draw_contacts(one, MONTH, 11).equals(drawn.filter(pl.col("agent_id") == "A1"))
    assert not draw_contacts(both, MONTH, 12).equals(drawn)
    assert not draw_contacts(both, date(2026, 11, 1), 11).equals(drawn)
    # The draw of today, for ever: a change of the method would have to change METHOD.
    assert draw_contacts(one, MONTH, 11)["contact_id"].to_list() == FIXED


FIXED = ["1-chat-bill-2", "1-phone-bill-2", "1-phone-bill-7", "2-phone-bill-1", "2-phone-bill-5"]


def test_no_candidates_give_an_empty_draw() -> None:
    empty = draw_contacts(pl.DataFrame(schema=CANDIDATES), MONTH, 1)
    assert empty.is_empty() and empty.columns == DRAWN


def test_a_contact_that_is_there_twice_is_refused() -> None:
    twice = pl.concat([_candidates(MIXED), _candidates(MIXED)])
    with pytest.raises(ValueError, match="there twice"):
        draw_contacts(twice, MONTH, 1)
    unequal = pl.concat([_candidates({(1, "phone", "x"): 1}), _candidates({(2, "phone", "x"): 1}, wanted=2)])
    with pytest.raises(ValueError, match="wanted differs"):
        draw_contacts(unequal, MONTH, 1)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(demo_copy: Callable[[], Path]) -> Path:
    return demo_copy()


def _month(home: Path) -> str:
    """The last month of the snapshot in which some agent lacks reviews and has contacts left."""
    with duckdb.connect(str((home / "serving" / "current").resolve()), read_only=True) as connection:
        row = connection.execute(
            "select strftime(max(handled_month), '%Y-%m') from fct_quality_coverage where is_in_base and contacts_reviewed < target"
        ).fetchone()
    assert row is not None and row[0] is not None
    return str(row[0])


@pytest.mark.slow
def test_the_command_draws_records_and_checks(home: Path, tmp_path: Path) -> None:
    month, file = _month(home), tmp_path / "draw.csv"
    done = csatlas(home, "draw", "quality", "--month", month, "--seed", "42", "--out", str(file), "--json")
    assert done.returncode == 0, done.stderr
    draw = json.loads(done.stdout)
    assert draw["seed"] == 42 and draw["earlier_draws"] == 0
    for agent in draw["agents"]:
        assert agent["drawn"] == min(agent["lacking"], agent["candidates"]), agent
    assert sum(agent["drawn"] for agent in draw["agents"]) == len(draw["contacts"]) > 0
    written = pl.read_csv(file, infer_schema_length=0)
    assert set(written.columns) == {"draw_id", *DRAWN}, "ids, strata and chances; nothing of the customer"
    with duckdb.connect(str((home / "serving" / "current").resolve()), read_only=True) as connection:
        connection.register("drawn", written.to_arrow())
        reviewed = connection.execute(
            "select count(*) from drawn inner join fct_quality_sheets as s using (agent_id, contact_kind, contact_id) where s.is_in_base"
        ).fetchone()
        foreign = connection.execute(
            "select count(*) from drawn anti join fct_reviewable_contacts using (source, contact_kind, contact_id, agent_id)"
        ).fetchone()
    assert (reviewed, foreign) == ((0,), (0,))
    kept = sorted((home / "draws").iterdir())
    assert [path.suffix for path in kept] == [".json", ".parquet"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in [*kept, file]} == {0o600}
    assert stat.S_IMODE((home / "draws").stat().st_mode) == 0o700

    again = csatlas(home, "draw", "quality", "--month", month, "--seed", "42", "--json")
    second = json.loads(again.stdout)
    assert second["contacts"] == draw["contacts"] and second["earlier_draws"] == 1
    checked = csatlas(home, "draw", "check", str(file), "--json")
    assert checked.returncode == 0, checked.stdout
    assert json.loads(checked.stdout) | {"faults": [], "snapshot": "same"} == json.loads(checked.stdout)

    # Another contact in the file, another seed in the record, other candidates: each is told.
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text(
        "\n".join([*lines[:-1], lines[-1].replace(",call,", ",chat,").replace(",ticket,", ",chat,")]) + "\n",
        encoding="utf-8",
    )
    wrong = csatlas(home, "draw", "check", str(file))
    assert wrong.returncode == 1 and "lacks 1 drawn contacts, has 1 that were not drawn" in wrong.stdout
    record = kept[0]
    honest = record.read_text(encoding="utf-8")
    record.write_text(honest.replace('"seed": 42', '"seed": 43'), encoding="utf-8")
    wrong = csatlas(home, "draw", "check", str(record))
    assert wrong.returncode == 1 and "the seed gives other contacts" in wrong.stdout
    record.write_text(honest, encoding="utf-8")
    candidates = pl.read_parquet(kept[1])
    candidates.head(candidates.height - 1).write_parquet(kept[1])
    wrong = csatlas(home, "draw", "check", str(record))
    assert wrong.returncode == 1 and "candidates are not those of the draw" in wrong.stdout


@pytest.mark.slow
def test_what_cannot_be_drawn_or_checked_is_told(home: Path, tmp_path: Path) -> None:
    no_month = csatlas(home, "draw", "quality", "--month", "October")
    assert no_month.returncode == 2 and "write it as 2026-10" in no_month.stderr
    nothing = csatlas(home, "draw", "quality", "--month", "1999-01")
    assert nothing.returncode == 2 and "no agent has contacts to review in 1999-01" in nothing.stderr
    assert not (home / "draws").exists()
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    assert csatlas(home, "draw", "check", str(other)).returncode == 2
    other.write_text("draw_id,agent_id,source,contact_kind,contact_id\n../x,A,s,call,1\n", encoding="utf-8")
    assert csatlas(home, "draw", "check", str(other)).returncode == 2
    assert csatlas(home, "draw", "check", str(tmp_path / "missing.csv")).returncode == 2
