"""`python -m tests.bench satisfaction [--responses N]`: what the marts of satisfaction cost on N responses with six answers each.

Belongs here: files of a survey tool with as many responses, loaded and built by the real program. Five of six responses are satisfaction
after a contact with six questions; every sixth judges service quality: two items as expected and as perceived, and two importances.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from orchestration import warehouse
from orchestration.settings import Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox

SOURCES = ("surveys", "crm")
CUSTOMERS, UNITS, DAYS, ANSWERS = 100_000, 24, 365, 6
CHUNK = 500_000
MARTS = "path:models/marts/satisfaction"
MEASURED = (
    "path:models/intermediate/satisfaction",
    MARTS,
    f"+{MARTS},path:models/features",
    f"+{MARTS},path:models/scores",
)
"""What is measured apart from what stands above it: marts of satisfaction, with the features and scores that they read."""
_CSAT = [
    ("S1", "csat", ""),
    ("S2", "other", "wait"),
    ("S3", "other", "staff"),
    ("S4", "nps", ""),
    ("S5", "ces", ""),
    ("S6", "resolved", ""),
]
_SERVQUAL = [
    ("E1", "expectation", "reliability"), ("P1", "perception", "reliability"), ("E2", "expectation", "empathy"),
    ("P2", "perception", "empathy"), ("I1", "importance", "reliability"), ("I2", "importance", "empathy"),
]  # fmt: skip


def write_surveys(home: Path, responses: int) -> None:
    """Put the files of a survey tool and the customers and units that it speaks of into a home's inbox."""
    rng = np.random.default_rng(20_260_301)
    surveys, crm = home / "inbox" / "surveys", home / "inbox" / "crm"
    surveys.mkdir(parents=True)
    crm.mkdir()
    head = "survey_id,question_id,role,construct,item_no,text_en,text_zh,scale_min,scale_max,reversed,blank_codes"
    lines = [f"{survey},{name},{role},{construct},1,?,?,{'0,10' if role == 'nps' else '1,5'},N,99" for survey, listed in (("C", _CSAT), ("Q", _SERVQUAL)) for name, role, construct in listed]  # fmt: skip
    (surveys / "questions_20260301.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    units = ["unit_code,parent_code,name_zh,name_en,level,time_zone,calendar,valid_from,valid_to", "HQ,,总部,HQ,HQ,,,,"]
    units += [f"P{n},HQ,省{n},Province {n},PROV,,,," for n in range(6)]
    units += [f"C{n},P{n % 6},市{n},City {n},CITY,,,," for n in range(UNITS)]
    (crm / "org_units_20260301.csv").write_text("\n".join(units) + "\n", encoding="utf-8")
    pl.DataFrame({"客户编号": [f"K{n:07d}" for n in range(CUSTOMERS)]}).with_columns(
        pl.lit("个人").alias("客户类型"), ("甲" + pl.col("客户编号")).alias("客户名称"), pl.lit("C1").alias("所属机构")
    ).write_csv(crm / "客户资料_20260301.csv")
    for number, first in enumerate(range(0, responses, CHUNK)):
        n = min(CHUNK, responses - first)
        ids = pl.Series("response_id", np.arange(first, first + n)).cast(pl.String)
        at = pl.from_epoch(pl.Series(1_735_700_000 + rng.integers(0, DAYS * 86_400, n)), time_unit="s").dt.strftime(
            "%m/%d/%Y %I:%M:%S %p"
        )
        is_servqual = np.arange(first, first + n) % 6 == 5
        survey = pl.Series(np.where(is_servqual, "Q", "C"))
        pl.DataFrame(
            {
                "response_id": ids, "survey_id": survey, "survey_type": np.where(is_servqual, "servqual", "csat"),
                "recipient_id": [f"K{number:07d}" for number in rng.integers(0, CUSTOMERS, n).tolist()],
                "unit_code": [f"C{number}" for number in rng.integers(0, UNITS, n).tolist()],
                "product": rng.choice(["mobile", "fixed", "broadband"], n), "mode": rng.choice(["sms", "email", "app"], n), "submitted_at": at,
            }
        ).write_csv(surveys / f"responses_{20260301 + number}.csv")  # fmt: skip
        position = np.tile(np.arange(ANSWERS), n)
        names = np.array([[name for name, *_ in _CSAT], [name for name, *_ in _SERVQUAL]])
        row = pl.Series(np.repeat(np.arange(n), ANSWERS))
        pl.DataFrame(
            {
                "response_id": ids.gather(row), "survey_id": survey.gather(row),
                "question_id": names[np.repeat(is_servqual.astype(int), ANSWERS), position],
                "value": rng.integers(1, 6, n * ANSWERS), "submitted_at": at.gather(row),
            }
        ).write_csv(surveys / f"answers_{20260301 + number}.csv")  # fmt: skip


def _build(settings: Settings, *arguments: str) -> dict[str, Any]:
    process = subprocess.Popen(
        warehouse.dbt_command("--quiet", "--log-level-file", "none", *arguments, *warehouse.dbt_flags(settings)),
        env=warehouse.dbt_environment(settings),
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"dbt {' '.join(arguments)} failed")
    results = json.loads((settings.dbt_target / "run_results.json").read_text(encoding="utf-8"))
    took = {result["unique_id"].split(".")[2]: float(result["execution_time"]) for result in results["results"]}
    return {
        "seconds": round(results["elapsed_time"], 1),
        "peak_megabytes": usage.ru_maxrss // 1024,
        "slowest": {name: round(took[name], 1) for name in sorted(took, key=lambda name: -took[name])[:8]},
    }


def measure_satisfaction(folder: Path, responses: int) -> dict[str, Any]:
    """Seconds and memory of loading, of what stands above, and of features, scores and marts of satisfaction, whole, without their tests."""
    settings = Settings(home=folder / "home", sources=SOURCES)
    write_surveys(settings.home, responses)
    started = time.monotonic()
    loaded = load_inbox(settings, load_declarations(list(SOURCES)), "bench-satisfaction")
    loading = time.monotonic() - started
    warehouse.plan_of(settings, full=True)
    without_tests = ("build", "--exclude-resource-type", "test")
    above = _build(settings, *without_tests, "--full-refresh", "--select", f"+{MARTS}", "--exclude", *MEASURED)
    satisfaction = _build(settings, *without_tests, "--select", *MEASURED)
    return {
        "responses": responses,
        "rows_loaded": loaded.rows,
        "loading_seconds": round(loading, 1),
        "loading_peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "above": above,
        "satisfaction": satisfaction,
    }
