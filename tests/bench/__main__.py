"""`python -m tests.bench [loading] [refresh] [serving] [contacts] [satisfaction] [drivers] [weights] [control] [identity] [churn] [tiers] [risk] [arrears] [scale] [--rows N] …`: measure, print JSON.

A measurement runs in a process of its own, so that its peak memory is its own. Baselines are measured in the same run, on the same
machine, right before: a ratio says more than seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import yaml

from dashboards.data.metrics import Filters, Metric, catalogue, metric_frame, metric_values
from dashboards.data.snapshot import REMEMBERED_ANSWERS, Snapshot, SnapshotStore
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox
from tests.bench.arrears import measure_arrears
from tests.bench.causes import measure_causes
from tests.bench.churn import measure_churn
from tests.bench.complaints import measure_complaints
from tests.bench.contacts import measure_contacts
from tests.bench.control import measure_control
from tests.bench.drivers import measure_drivers
from tests.bench.identity import measure_linking
from tests.bench.pages import measure_pages
from tests.bench.risk import measure_risk
from tests.bench.satisfaction import measure_satisfaction
from tests.bench.tiers import measure_tiers
from tests.bench.weights import measure_weights

CSATLAS = Path(sys.executable).with_name("csatlas")
COLUMNS = ["call_id", "started", "caller", "queue", "agent", "wait", "talk", "outcome"]


def _call_file(path: Path, rows: int, damaged: bool) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select 'K' || i as call_id, strftime(timestamp '2026-01-01' + interval 1 second * i, '%Y-%m-%d %H:%M:%S') as started,"
            " '138' || lpad((hash(i) % 100000000)::varchar, 8, '0') as caller, 'queue_' || (i % 9) as queue, 'A' || lpad((i % 800)::varchar, 5, '0') as agent,"
            f" i % 97 as wait, i % 611 as talk, case when i % 13 = 0 then 'abandoned' else 'answered' end as outcome from range({rows}) as r (i))"
            f" to '{path}' (header, delimiter ',')"
        )
    if damaged:
        with path.open("a", encoding="utf-8") as stream:
            stream.write("K0,a,line,with,too,many,columns,in,it\n")


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure_loading(rows: int, damaged: bool) -> dict[str, Any]:
    """Rows a second into raw, against DuckDB's own read_csv into a table of text, and the peak memory of the load."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        inbox = root / "home" / "inbox" / "desk"
        inbox.mkdir(parents=True)
        _call_file(inbox / "calls_20260101.csv", rows, damaged)
        table = {
            "pattern": "calls_*",
            "format": "delimited",
            "delivery": "delta",
            "columns": {name: {} for name in COLUMNS},
        }
        declaration = {"source": "desk", "label": {"en": "Desk", "zh": "柜台"}, "feeds": [], "tables": {"calls": table}}
        (root / "desk.yml").write_text(yaml.safe_dump(declaration), encoding="utf-8")
        started = time.monotonic()
        report = load_inbox(Settings(home=root / "home"), load_declarations(["desk"], folder=root), "bench")
        seconds, peak = time.monotonic() - started, _peak_megabytes()
        (result,) = report.files
        clean = root / "clean.csv"
        _call_file(clean, rows, damaged=False)
        with duckdb.connect(str(root / "baseline.duckdb"), config={"threads": 2}) as connection:
            started = time.monotonic()
            connection.execute(f"create table t as select * from read_csv('{clean}', all_varchar = true)")
            connection.execute("checkpoint")
            baseline = time.monotonic() - started
    return {
        "path": result.path,
        "rows": result.rows,
        "damaged": result.damaged,
        "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds),
        "baseline_seconds": round(baseline, 2),
        "ratio_to_read_csv": round(baseline / seconds, 2),
        "peak_megabytes": peak,
    }


def _csatlas(home: Path, *arguments: str) -> tuple[float, int, str]:
    """Run the real command: seconds, peak memory in MB of the largest of its processes, what it printed."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as complained:
        process = subprocess.Popen(
            [str(CSATLAS), *arguments],
            env={**os.environ, "CSATLAS_HOME": str(home)},
            cwd=PROJECT_ROOT,
            stdout=printed,
            stderr=complained,
            text=True,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        complained.seek(0)
        if process.returncode != 0:
            raise SystemExit(
                f"csatlas {' '.join(arguments)} failed:\n{printed.read()[-2000:]}{complained.read()[-2000:]}"
            )
        return time.monotonic() - started, usage.ru_maxrss // 1024, printed.read()


def _stages(record: dict[str, Any]) -> dict[str, float]:
    """Seconds from each stage of a run to the next."""
    moments = [
        (name, time.mktime(time.strptime(moment, "%Y-%m-%d %H:%M:%S"))) for name, moment in record["stages"].items()
    ]
    return {name: after - before for (name, before), (_, after) in pairwise(moments)}


def _refreshed(home: Path, *arguments: str) -> dict[str, Any]:
    seconds, peak, printed = _csatlas(home, "refresh", "--json", *arguments)
    record = json.loads(printed)
    return {
        "seconds": round(seconds, 1),
        "peak_megabytes": peak,
        "start_up_seconds": round(seconds - record["seconds"], 1),
        "stages": _stages(record),
        "rows_loaded": record["rows_loaded"],
        "received": record["received"],
        "snapshot_megabytes": round(record["snapshot_bytes"] / 1e6, 1),
    }


def measure_refresh(extra: list[str], further: Sequence[str] = ()) -> dict[str, Any]:
    """A company's first refresh, a second one with nothing new, one with one new day, and `further` measurements on its home."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        made, peak, _ = _csatlas(home, "demo", *extra)
        first = _refreshed(home)
        again = _refreshed(home)
        _csatlas(home, "demo", "--next-day")
        day = _refreshed(home)
        more = {name: _in_a_process(name, str(home)) for name in further}
    return {
        "generate_seconds": round(made, 1),
        "generate_peak_megabytes": peak,
        "first": first,
        "nothing_new": again,
        "one_new_day": day,
        "one_day_to_first": round(day["seconds"] / first["seconds"], 2),
        **more,
    }


def _question_kinds(metrics: Mapping[str, Metric]) -> dict[str, list[str]]:
    """Metrics by what answering them reads: daily sums, exact histograms, or rows (distinct counts)."""

    def kinds(metric: Metric) -> set[str]:
        own = {part.kind for part in metric.parts}
        return own.union(*(kinds(metrics[of]) for of in metric.inputs.values()))

    found: dict[str, list[str]] = {"additive": [], "percentile": [], "distinct": []}
    for name, metric in metrics.items():
        needed = kinds(metric)
        found["distinct" if "distinct" in needed else "percentile" if "percentile" in needed else "additive"].append(
            name
        )
    return found


@dataclass(frozen=True)
class _Question:
    kind: str
    metric: str
    filters: Filters
    grain: str | None
    by: tuple[str, ...]

    def ask(self, snapshot: Snapshot) -> float:
        """Seconds until it is answered."""
        started = time.monotonic()
        if self.grain is None and not self.by:
            metric_values(snapshot, [self.metric], self.filters)
        else:
            metric_frame(snapshot, [self.metric], by=self.by, grain=self.grain, filters=self.filters)
        return time.monotonic() - started


def _slices(snapshot: Snapshot) -> Callable[[random.Random, str, Metric], _Question]:
    """Draws questions over random slices: days, units, a value of one or two dimensions, split by time or by a dimension."""
    last = snapshot.rows("select data_until from meta.snapshot")[0]["data_until"] or date.today()
    units = [
        row["org_unit_id"]
        for row in snapshot.rows("select org_unit_id from dim_org_units where unit_level in ('province', 'city')")
    ]
    drawn_from = ("channel", "product_line", "customer_kind", "queue", "call_type", "ticket_kind", "priority")
    values: dict[str, list[str]] = {}
    for name in drawn_from:
        tables = snapshot.rows(
            "select table_name from information_schema.columns where table_schema = 'parts' and column_name = ? and table_name not like '%\\_\\_%' escape '\\'",
            [name],
        )
        union = " union ".join(f'select "{name}" as value from parts."{row["table_name"]}"' for row in tables)
        if tables:
            values[name] = [
                row["value"] for row in snapshot.rows(f"select value from ({union}) where value is not null")
            ]

    def draw(dice: random.Random, kind: str, metric: Metric) -> _Question:
        known = [name for name in drawn_from if name in metric.dimensions and values.get(name)]
        end = last - timedelta(days=dice.randrange(0, 60))
        where = {
            name: (dice.choice(values[name]),)
            for name in dice.sample(known, min(len(known), dice.choice([0, 0, 1, 2])))
        }
        within = units and "org_unit_id" in metric.dimensions and dice.random() < 0.5
        filters = Filters(
            start=end - timedelta(days=dice.choice([1, 7, 30, 90, 365])),
            end=end,
            units=(dice.choice(units),) if within else (),
            where=where,
        )
        shape = dice.choice(["value", "value", "course", "course", "split"])
        return _Question(
            kind,
            metric.name,
            filters,
            dice.choice(["day", "week", "month"]) if shape == "course" else None,
            (dice.choice(known),) if shape == "split" and known else (),
        )

    return draw


def _summary(taken: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(taken)
    if not ordered:
        return {"questions": 0}
    return {
        "questions": len(ordered),
        "median_ms": round(1000 * statistics.median(ordered), 1),
        "p95_ms": round(1000 * ordered[math.ceil(0.95 * len(ordered)) - 1], 1),
        "max_ms": round(1000 * ordered[-1], 1),
    }


def measure_serving(home: Path, users: int = 20, seconds: float = 90.0, thinking: float = 5.0) -> dict[str, Any]:
    """Users who ask for random slices and think in between; time of each question, by what answering it reads.

    Each question is of any kind with equal chance. `distinct_again`: the same distinct counts a second time, one after another, as
    many as a version remembers.
    """
    store = SnapshotStore(home / "serving")
    snapshot = store.current()
    metrics = catalogue(snapshot)
    kinds = {kind: names for kind, names in _question_kinds(metrics).items() if names}
    draw = _slices(snapshot)
    taken: list[tuple[_Question, float]] = []
    end = time.monotonic() + seconds

    def user(number: int) -> None:
        dice = random.Random(number)
        time.sleep(dice.random() * thinking)
        while time.monotonic() < end:
            kind = dice.choice(sorted(kinds))
            question = draw(dice, kind, metrics[dice.choice(kinds[kind])])
            taken.append((question, question.ask(snapshot)))
            time.sleep(thinking)

    with ThreadPoolExecutor(users) as pool:
        for done in [pool.submit(user, number) for number in range(users)]:
            done.result()
    distinct = [question for question, _ in taken if question.kind == "distinct"]
    again = [question.ask(snapshot) for question in distinct[-(REMEMBERED_ANSWERS // 4) :]]
    found = {kind: _summary([one for question, one in taken if question.kind == kind]) for kind in kinds}
    store.close()
    return {
        "users": users,
        "thinking_seconds": thinking,
        "all": _summary([one for _, one in taken]),
        **found,
        "distinct_again": _summary(again),
        "peak_megabytes": _peak_megabytes(),
    }


def _in_a_process(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--one", *arguments],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout)


def main() -> None:
    """Run the chosen measurements, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        help="loading, refresh, serving, pages, contacts, complaints, causes, satisfaction, drivers, weights, control, identity, churn, tiers, risk, arrears, scale; default: loading refresh serving pages",
    )
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the call file")
    parser.add_argument("--answers", type=int, default=5_000_000, help="survey answers in `drivers` and `weights`")
    parser.add_argument("--calls", type=int, default=10_000_000, help="calls of the company in `scale`")
    parser.add_argument("--tickets", type=int, default=1_000_000, help="tickets of the company in `scale`")
    parser.add_argument(
        "--customers",
        type=int,
        default=5_000_000,
        help="customers of the benches of customers; in `arrears` twelve transactions each",
    )
    parser.add_argument("--texts", type=int, default=1_000_000, help="complaint texts in `causes`")
    parser.add_argument("--learn", type=int, default=200_000, help="cases that `causes` learns from")
    parser.add_argument("--copies", type=int, default=40, help="copies of the home's tickets in `complaints`")
    parser.add_argument(
        "--responses", type=int, default=5_000_000, help="responses in `satisfaction`, six answers each"
    )
    parser.add_argument("--transactions", type=int, default=60_000_000, help="transactions in `churn` and `tiers`")
    parser.add_argument(
        "--home",
        type=Path,
        help="published home for `serving`, `pages`, `contacts` and `complaints`; default: a company made for it",
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        name, *rest = chosen.names
        if name == "loading":
            print(json.dumps(measure_loading(int(rest[0]), damaged=rest[1] == "damaged")))
        elif name == "contacts":
            print(json.dumps(measure_contacts(Path(rest[0]))))
        elif name == "drivers":
            print(json.dumps(measure_drivers(int(rest[0]))))
        elif name == "satisfaction":
            print(json.dumps(measure_satisfaction(Path(rest[0]), int(rest[1]))))
        elif name == "weights":
            print(json.dumps(measure_weights(int(rest[0]))))
        elif name == "risk":
            print(json.dumps(measure_risk(Path(rest[0]), int(rest[1]))))
        elif name == "churn":
            print(json.dumps(measure_churn(Path(rest[0]), int(rest[1]), int(rest[2]))))
        elif name == "arrears":
            print(json.dumps(measure_arrears(Path(rest[0]), int(rest[1]))))
        elif name == "control":
            print(json.dumps(measure_control()))
        elif name == "pages":
            pages = measure_pages(Path(rest[0]).resolve())
            taken = pages.pop("taken")
            print(json.dumps({**pages, **{kind: _summary(found) for kind, found in taken.items()}}))
        elif name == "complaints":
            print(json.dumps(measure_complaints(Path(rest[0]), int(rest[1]))))
        elif name == "causes":
            print(json.dumps(measure_causes(int(rest[0]), int(rest[1]))))
        elif name == "identity":
            print(json.dumps(measure_linking(int(rest[0]))))
        elif name == "tiers":
            print(json.dumps(measure_tiers(Path(rest[0]), int(rest[1]), int(rest[2]))))
        else:
            print(json.dumps(measure_serving(Path(rest[0]))))
        return
    found: dict[str, Any] = {"machine": {"cores": os.cpu_count()}}
    names = chosen.names or ["loading", "refresh", "serving", "pages"]
    if "loading" in names:
        found["loading"] = {kind: _in_a_process("loading", str(chosen.rows), kind) for kind in ("clean", "damaged")}
    if "causes" in names:
        found["causes"] = _in_a_process("causes", str(chosen.texts), str(chosen.learn))
    if "control" in names:
        found["control"] = _in_a_process("control")
    if "identity" in names:
        found["identity"] = _in_a_process("identity", str(chosen.customers))
    if "refresh" in names:
        found["refresh"] = measure_refresh([])
    if "weights" in names:
        found["weights"] = _in_a_process("weights", str(chosen.answers))
    if {"serving", "pages", "contacts", "complaints"} & set(names):
        home = chosen.home or Path(tempfile.mkdtemp()) / "home"
        if chosen.home is None:
            _csatlas(home, "demo")
            _csatlas(home, "refresh")
        for name in ("serving", "pages", "contacts", "complaints"):
            if name in names:
                found[name] = _in_a_process(name, str(home), *([str(chosen.copies)] if name == "complaints" else []))
        if chosen.home is None:
            shutil.rmtree(home.parent)
    if "drivers" in names:
        found["drivers"] = _in_a_process("drivers", str(chosen.answers))
    if "satisfaction" in names:
        with tempfile.TemporaryDirectory() as folder:
            found["satisfaction"] = _in_a_process("satisfaction", folder, str(chosen.responses))
    if "risk" in names:
        with tempfile.TemporaryDirectory() as folder:
            found["risk"] = _in_a_process("risk", folder, str(chosen.customers))
    if "churn" in names:
        with tempfile.TemporaryDirectory() as folder:
            found["churn"] = _in_a_process("churn", folder, str(chosen.customers), str(chosen.transactions))
    if "tiers" in names:
        with tempfile.TemporaryDirectory() as folder:
            found["tiers"] = _in_a_process("tiers", folder, str(chosen.customers), str(chosen.transactions))
    if "arrears" in names:
        with tempfile.TemporaryDirectory() as folder:
            found["arrears"] = _in_a_process("arrears", folder, str(chosen.customers))
    if "scale" in names:
        customers = max(5_000, chosen.calls // 60)
        found["scale"] = measure_refresh(
            ["--calls", str(chosen.calls), "--tickets", str(chosen.tickets), "--customers", str(customers)],
            further=("serving", "contacts"),
        )
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
