"""Published worked examples, from files in the inbox through every model to `csatlas metric`.

The service-level example (1000 answered, 860 of them within 20 s; 60 abandoned, 20 within 20 s, 10 within 5 s) and the two
teams of 90/100 and 40/200 that are 43.3 % together are those of the terms and formulas that csatlas follows.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import csatlas

SOURCES = {"CSATLAS_SOURCES": "asterisk"}
NO_WAIT = None


class Exchange:
    """Writes calls as the telephone exchange logs them."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, str]] = []
        self.records: list[str] = []

    def call(
        self,
        day: int,
        queue: str,
        *,
        wait: int | None,
        answered: bool,
        unit: str = "U1",
        hour: int = 12,
        ended_by: str = "CALLER",
    ) -> None:
        """One call that entered a queue at an hour (noon) of a day of January 2026 in Shanghai; `wait` None: the exchange did not say."""
        number = len(self.records)
        start = int(datetime(2026, 1, day, tzinfo=UTC).timestamp()) + (hour - 8) * 3600 + number
        name = f"{start}.{number}"
        ended = start + (wait or 0) + (60 if answered else 0)
        if wait is not NO_WAIT:
            self.steps.append((start, f"{name}|{queue}|NONE|ENTERQUEUE||13800000000|1||"))
        if answered:
            told = "" if wait is NO_WAIT else wait
            self.steps.append((start + (wait or 0), f"{name}|{queue}|Agent/01001|CONNECT|{told}|{name}|3||"))
            self.steps.append((ended, f"{name}|{queue}|Agent/01001|COMPLETE{ended_by}|{told}|60|1||"))
        else:
            self.steps.append((ended, f"{name}|{queue}|NONE|ABANDON|1|1|{wait}||"))
        moments = [
            datetime.fromtimestamp(at + 8 * 3600, UTC).strftime("%Y-%m-%d %H:%M:%S") for at in (start, start, ended)
        ]
        channel = "Agent/01001-00000001" if answered else ""
        fields = [unit, "13800000000", "10088", "from-pstn", "", "PJSIP/trunk1", channel, "Queue", queue, *moments]
        fields += [
            str(ended - start),
            "60" if answered else "0",
            "ANSWERED" if answered else "NO ANSWER",
            "DOCUMENTATION",
            name,
            "",
        ]
        self.records.append(",".join(f'"{field}"' for field in fields))

    def write(self, inbox: Path) -> None:
        """Write the two files of the exchange."""
        inbox.mkdir(parents=True)
        lines = [f"{at}|{step}" for at, step in sorted(self.steps, key=lambda step: step[0])]
        (inbox / "queue_log_20260131.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (inbox / "Master_20260131.csv").write_text("\n".join(self.records) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("examples") / "home"
    exchange = Exchange()
    # Day 5: the example, with waits at both edges (20 s and 5 s are within).
    for number in range(860):
        exchange.call(5, "hotline", wait=20 if number < 100 else number % 20, answered=True)
    for number in range(140):
        exchange.call(5, "hotline", wait=21 + number, answered=True)
    for number in range(60):
        wait = (
            5
            if number < 4
            else number % 5
            if number < 10
            else 20
            if number < 13
            else 6 + number % 14
            if number < 20
            else 21 + number
        )
        exchange.call(5, "hotline", wait=wait, answered=False)
    # Day 6: two teams.
    for number in range(100):
        exchange.call(6, "team_x", wait=10 if number < 90 else 40, answered=True)
    for number in range(200):
        exchange.call(6, "team_y", wait=10 if number < 40 else 40, answered=True)
    # Day 7: five answers of which nobody knows after which wait.
    for _ in range(30):
        exchange.call(7, "hotline", wait=3, answered=True)
    for _ in range(5):
        exchange.call(7, "hotline", wait=NO_WAIT, answered=True)
    exchange.write(home / "inbox" / "asterisk")
    done = csatlas(home, "refresh", "--json", env=SOURCES)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return home


def values(home: Path, day: int, name: str, *options: str) -> list[dict[str, object]]:
    moment = f"2026-01-{day:02}"
    done = csatlas(home, "metric", name, "--from", moment, "--to", moment, "--json", *options, env=SOURCES)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("name", "numerator", "denominator", "percent"),
    [
        ("service_level_abandons_good", 880, 1060, 83.02),
        ("service_level", 860, 1000, 86.00),
        ("service_level_abandons_bad", 860, 1060, 81.13),
        ("service_level_early_ignored", 860, 1040, 82.69),
        ("service_level_short_good", 870, 1060, 82.08),
        ("service_level_short_removed", 860, 1050, 81.90),
    ],
)
def test_the_six_service_levels(home: Path, name: str, numerator: int, denominator: int, percent: float) -> None:
    (row,) = values(home, 5, name)
    assert (row["numerator"], row["denominator"]) == (numerator, denominator)
    assert round(100 * float(str(row["value"])), 2) == percent


@pytest.mark.parametrize(
    ("number", "definition"),
    [
        ("0.8113", "service_level_abandons_bad"),
        ("81.13%", "service_level_abandons_bad"),
        ("86.0%", "service_level"),
        ("0.8269", "service_level_early_ignored"),
        ("83.02 %", "service_level_abandons_good"),
        ("82.08%", "service_level_short_good"),
        ("81.90%", "service_level_short_removed"),
    ],
)
def test_a_number_from_elsewhere_is_traced_to_its_definition(home: Path, number: str, definition: str) -> None:
    moment = ("--from", "2026-01-05", "--to", "2026-01-05")
    done = csatlas(home, "metric", "service_level", "--explain", number, *moment, "--json", env=SOURCES)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["variants"]
    # No call flowed out or entered a second queue that day, so the definitions with flow-outs and by queue entry are those without.
    equal = {row["metric"] for row in found if row["yields_it"]} - {
        "service_level_flow_outs_in",
        "service_level_by_queue_entry",
    }
    assert equal == {definition}
    assert found[0]["yields_it"]


def test_a_number_that_no_definition_yields_is_said_to_be_none(home: Path) -> None:
    moment = ("--from", "2026-01-05", "--to", "2026-01-05")
    done = csatlas(home, "metric", "service_level", "--explain", "0.5", *moment, env=SOURCES)
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "None of the 8 definitions of service_level yields 0.5" in words
    assert "the nearest is service_level_abandons_bad, off by +0.311321" in words


def test_two_teams_together_are_rolled_up_from_their_parts(home: Path) -> None:
    teams = {row["queue"]: row["value"] for row in values(home, 6, "service_level", "--by", "queue")}
    assert teams == {"team_x": 0.9, "team_y": 0.2}
    (together,) = values(home, 6, "service_level")
    assert round(100 * float(str(together["value"])), 1) == 43.3


def test_an_unknown_wait_is_neither_within_nor_beyond_the_target(home: Path) -> None:
    (answered,) = values(home, 7, "calls_answered")
    assert answered["value"] == 35
    for name in (
        "service_level", "service_level_abandons_good", "service_level_abandons_bad", "service_level_early_ignored",
        "service_level_short_good", "service_level_short_removed",
    ):  # fmt: skip
        (row,) = values(home, 7, name)
        assert (row["value"], row["n"]) == (1.0, 30), name
