"""After any sequence of deliveries the incremental warehouse and the snapshots continued from one another equal full rebuilds,
table by table, row by row."""

from __future__ import annotations

import random
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.serving import build, cells
from tests.serving.comparing import differing_in_snapshots, replaced_rows
from tests.warehouse.shop_project import ShopProject, differences, make_shop_project

DAYS = [date(2026, 3, 1) + timedelta(days=n) for n in range(8)]


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Deliveries:
    """Random files of the shop: late, repeated, corrected, moved to another day, deleted, damaged, orphaned."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.work = random.Random(1000 + seed)
        self.files: dict[str, str] = {}
        for day in DAYS:
            self._day(day)

    def _moment(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day) + timedelta(seconds=self.random.randrange(86_400))

    def _near(self, day: date) -> date:
        return day + timedelta(days=self.random.choice([0, 0, 0, -1, -3, 1]))

    def _day(self, day: date) -> None:
        dice, work, name = self.random, self.work, day.strftime("%Y%m%d")
        tickets = ["id,customer,kind,status,created,updated,deleted,unit,priority,asset"]
        for _ in range(25):
            created = _stamp(self._moment(self._near(day))) if dice.random() > 0.05 else "2026-02-30 10:00:00"
            kind = dice.choice(["enquiry", "complaint", "repair", "never heard of"])
            status = dice.choice(["open", "solved", "closed"])
            deleted = "yes" if dice.random() < 0.1 else "no"
            tickets.append(
                f"T{dice.randrange(40)},C{dice.randrange(15)},{kind},{status},{created},{_stamp(self._moment(day))},{deleted},"
                f"{dice.choice(['', 'U1'])},{dice.choice(['', 'low', 'high'])},{work.choice(['', 'M1', 'M2'])}"
            )
        if dice.random() < 0.5:
            tickets.append("T1,C1,too,few")
        self.files[f"tickets_{name}.csv"] = "\n".join(tickets) + "\n"

        log = []
        for _ in range(60):
            kind, value = dice.choice(
                [
                    ("status", "open"), ("status", "pending"), ("status", "solved"), ("public_reply", ""), ("public_reply", ""),
                    ("private_note", ""), ("hm", ""), ("priority", "high"), ("priority", "urgent"), ("assignee", "A1"),
                    ("assignee", "A2"), ("schedule", "office_hours"), ("schedule", "service_hours"), ("merge", "T1"),
                ]
            )  # fmt: skip
            actor = dice.choice(["customer", "agent", "bot"])
            log.append(f"T{dice.randrange(45)}|{_stamp(self._moment(self._near(day)))}|{actor}|{kind}|{value}")
        log += dice.sample(log, 5)
        noon = datetime(day.year, day.month, day.day, 12)
        window = f"{_stamp(noon)}/{_stamp(noon + timedelta(hours=4))}"
        for _ in range(40):
            kind, value = work.choice(
                [
                    ("dispatched", ""), ("arrived", ""), ("finished", "fixed"), ("finished", "not_fixed#1"), ("customer_told", ""),
                    ("department_asked", "network"), ("department_asked", "billing#network"), ("department_answered", "network"),
                    ("appointed", f"{window}/#1"), ("appointed", f"{window}/customer"),
                ]
            )  # fmt: skip
            moment = datetime(day.year, day.month, day.day) + timedelta(seconds=work.randrange(-86_400, 2 * 86_400))
            log.append(f"T{work.randrange(45)}|{_stamp(moment)}|agent|{kind}|{value}")
        self.files[f"ticketlog_{name}.txt"] = "\n".join(log) + "\n"

        roster = ["id,agent,kind,activity,starts,ends"]
        for number in range(3):
            start = self._moment(day)
            end = start + timedelta(hours=dice.randrange(-1, 9))
            kind, activity = dice.choice(["rostered", "actual"]), dice.choice(["ready", "ready", "talking", "break"])
            roster.append(f"S{dice.randrange(20)},A{number},{kind},{activity},{_stamp(start)},{_stamp(end)}")
        self.files[f"roster_{name}.csv"] = "\n".join(roster) + "\n"

        calls, events = ["id,caller,customer,started,ended"], []
        for _ in range(25):
            call, start = f"K{dice.randrange(60)}", self._moment(self._near(day))
            end = start + timedelta(seconds=dice.choice([30, 300, 7200, -60]))
            calls.append(f"{call},1380000{dice.randrange(9999):04},C{dice.randrange(20)},{_stamp(start)},{_stamp(end)}")
            epoch = int((start - timedelta(hours=8) - datetime(1970, 1, 1)).total_seconds())
            wait = dice.randrange(60)
            events.append(f"{epoch}|{call}|enter_queue||")
            events.append(
                f"{epoch + wait}|{call}|{dice.choice(['answered', 'answered', 'abandoned'])}|A{dice.randrange(4)}|{wait}"
            )
            for kind in dice.choices(
                ["ring_no_answer", "transferred", "answered", "completed", "wrap_up", "enter_queue"], k=3
            ):
                agent = dice.choice(["vip", "service"]) if kind == "enter_queue" else f"A{dice.randrange(4)}"
                events.append(f"{epoch + wait + dice.randrange(7200)}|{call}|{kind}|{agent}|{dice.randrange(600)}")
        events.append("not a time|K1|answered|A1|5")
        self.files[f"calls_{name}.csv"] = "\n".join(calls) + "\n"
        self.files[f"calllog_{name}.txt"] = "\n".join(events) + "\n"

        customers = ["id,name,kind,phone,email"]
        for number in dice.sample(range(18), 15):
            phone = f"1380000{dice.choice([number, number, 7]):04}"
            email = f"{dice.choice(['c', 'C'])}{dice.choice([number, number, 3])}@example.com"
            customers.append(f"C{number},Name {number},{dice.choice(['person', 'household', 'robot'])},{phone},{email}")
        self.files[f"customers_{name}.csv"] = "\n".join(customers) + "\n"

        answers = ["response,customer,about,answered,csat,nps"]
        for _ in range(12):
            csat = dice.choice(["1", "3", "5", "9", "five"])
            answers.append(
                f"R{dice.randrange(50)},C{dice.randrange(15)},T{dice.randrange(40)},{_stamp(self._moment(self._near(day)))},{csat},{dice.randrange(11)}"
            )
        self.files[f"answers_{name}.csv"] = "\n".join(answers) + "\n"

        payments = ["id,customer,paid,amount"]
        for number in dice.sample(range(30), 24):
            payments.append(
                f"P{number},C{number % 15},{_stamp(self._moment(self._near(DAYS[number % len(DAYS)])))},{dice.choice(['12.50', '80', '12,50'])}"
            )
        self.files[f"payments_{name}.csv"] = "\n".join(payments) + "\n"
        self._messages_of(day, name)

    def _messages_of(self, day: date, name: str) -> None:
        """Sessions, the notices of troubles, and the troubles: late, corrected, some of them impossible."""
        dice = self.random
        sessions = ["id,customer,channel,said,direction,handled,missed,unit,started,replied,ended,rounds,about,event"]
        for _ in range(25):
            start = self._moment(self._near(day))
            replied = (
                _stamp(start + timedelta(seconds=dice.choice([0, 20, 3000, 90_000, -5]))) if dice.random() < 0.5 else ""
            )
            ended = _stamp(start + timedelta(seconds=dice.choice([60, 7200, 100_000]))) if dice.random() < 0.7 else ""
            sessions.append(
                f"M{dice.randrange(60)},C{dice.randrange(20)},{dice.choice(['chat', 'app', 'email', 'smoke'])},{dice.choice(['', 'bill', 'hm'])},"
                f"{dice.choice(['', '', 'outbound'])},{dice.choice(['bot', 'human', 'both', 'nobody'])},{dice.choice(['', 'TRUE'])},{dice.choice(['', 'U1'])},"
                f"{_stamp(start)},{replied},{ended},{dice.choice(['', '3', 'many'])},{dice.choice(['', f'T{dice.randrange(40)}'])},{dice.choice(['', 'E1', 'E2'])}"
            )
        self.files[f"sessions_{name}.csv"] = "\n".join(sessions) + "\n"
        actions = ["id,kind,customer,event,done,control"]
        for _ in range(8):
            actions.append(
                f"A{dice.randrange(25)},{dice.choice(['notice', 'care', 'wish'])},C{dice.randrange(18)},{dice.choice(['', 'E1', 'E2', 'E9'])},"
                f"{_stamp(self._moment(self._near(day)))},{dice.choice(['', 'yes'])}"
            )
        self.files[f"actions_{name}.csv"] = "\n".join(actions) + "\n"
        troubles = [
            "id,kind,product,starts",
            f"E{dice.randrange(3)},outage,{dice.choice(['', 'mobile'])},{_stamp(self._moment(day))}",
        ]
        self.files[f"troubles_{name}.csv"] = "\n".join(troubles) + "\n"

    def runs(self, count: int) -> list[list[str]]:
        """The files in a random order, split over `count` runs: late and out of order."""
        names = sorted(self.files)
        self.random.shuffle(names)
        cuts = sorted(self.random.sample(range(1, len(names)), count - 1))
        return [names[a:b] for a, b in zip([0, *cuts], [*cuts, len(names)], strict=True)]


def _edit_rule(project: ShopProject) -> None:
    staging = project.project_dir / "models" / "staging" / "shop" / "stg_shop__tickets.sql"
    text = staging.read_text(encoding="utf-8")
    assert "    kind as ticket_kind" in text
    staging.write_text(
        text.replace("    kind as ticket_kind", "    {{ map_values('kind', {'never heard of': 'request'}) }}").replace(
            "map_values('kind', {'never heard of': 'request'})",
            "map_values('kind', 'ticket_kind', {'never heard of': 'request'})",
        ),
        encoding="utf-8",
    )


def _edit_seed(project: ShopProject) -> None:
    seed = project.root / "seeds" / "service_level_targets.csv"
    text = seed.read_text(encoding="utf-8")
    changed = text.replace(",20,", ",31,", 1)
    assert changed != text, "the seed no longer holds the 20-second target this test edits"
    seed.write_text(changed, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "runs", "edit"), [(1, 3, _edit_rule), (2, 3, _edit_seed), (3, 9, None)])
def test_incremental_equals_full(
    tmp_path: Path, seed: int, runs: int, edit: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "REWRITTEN_SHARE", 1e9)  # so small a company would always be written whole
    project = make_shop_project(tmp_path)
    deliveries = Deliveries(seed)
    left_out: set[int] = set()
    for number, names in enumerate(deliveries.runs(runs)):
        for name in names:
            project.deliver(name, deliveries.files[name])
        if number == 2 and callable(edit):
            edit(project)
        project.load(f"load-{number}")
        left_out.add(len(project.build().carried))
        continued = build.build_snapshot(project.settings, run_id=f"run-{number}")

    rebuilt = ShopProject(project.root, tmp_path / "rebuilt")
    rebuilt.home.mkdir()
    shutil.copy(project.settings.raw_path, rebuilt.settings.raw_path)
    rebuilt.build(full=True)

    assert differences(project, rebuilt) == {}
    assert len(left_out) > 1, "each run built the same models: the deliveries did not leave any out"
    whole = build.build_snapshot(rebuilt.settings, run_id="whole", whole=True)
    assert differing_in_snapshots(continued.path, whole.path) == {}
    assert replaced_rows(continued.path) > 0 == replaced_rows(whole.path)
    with duckdb.connect(str(project.settings.warehouse_path), read_only=True) as connection:
        fates = dict(connection.execute("select _status, count(*) from intermediate.int_tickets group by 1").fetchall())
    assert set(fates) == {"used", "superseded", "quarantined"}, "the deliveries did not exercise every fate"
