"""How the dbt project is parsed and built.

Belongs here: everything the nightly job, the command line and the tests need to know about dbt without Dagster:
variables, environment, the prebuilt manifest, running the build. Does not belong here: what a build has to do (build_plan) and
judging it (serving.gate).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestration.build_plan import BuildPlan, keep_results, plan_build
from orchestration.settings import Settings
from orchestration.sources.declarations import load_declarations

_QUIETLY = ("--no-use-colors", "--log-level-file", "none", "--no-write-json")
DBT_EXECUTABLE = Path(sys.executable).with_name("dbt")


class DbtParseError(RuntimeError):
    """The dbt project does not parse; the message carries dbt's own words."""


def enabled_sources(settings: Settings) -> dict[str, list[str]]:
    """Enabled sources and the feeds each supplies: the dbt var `sources`, or `CSATLAS_SOURCES` when it is set.

    Raises:
        orchestration.sources.declarations.DeclarationError: an enabled source has no valid declaration.
    """
    if settings.sources is not None:
        declarations = load_declarations(list(settings.sources))
        return {name: list(declarations[name].feeds) for name in settings.sources}
    sources: dict[str, list[str]] = _project_vars(settings)["sources"]
    return sources


def _project_vars(settings: Settings) -> dict[str, Any]:
    project = yaml.safe_load((settings.dbt_project_dir / "dbt_project.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = project["vars"]
    return found


def _variables(settings: Settings) -> dict[str, Any]:
    """Values of all variables: those of dbt_project.yml, and over them those that the settings give."""
    return _project_vars(settings) | dbt_vars(settings)


def dbt_vars(settings: Settings) -> dict[str, Any]:
    """Variables for `dbt --vars`: always the enabled sources, for dbt renders folder settings before it knows the
    vars of its own dbt_project.yml, and the organisation's time zone, in which units that name none have their days."""
    return {"sources": enabled_sources(settings), "default_time_zone": settings.time_zone}


def dbt_environment(settings: Settings, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Process environment for dbt: the home, the limits, and no telemetry."""
    return {
        **(os.environ if env is None else env),
        "CSATLAS_HOME": str(settings.home),
        "CSATLAS_THREADS": str(settings.threads),
        "CSATLAS_MEMORY_LIMIT": settings.memory_limit,
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def dbt_command(*arguments: str) -> list[str]:
    """Command that runs dbt as a child which ends with this process."""
    return [sys.executable, "-m", "orchestration.dbt_program", str(os.getpid()), *arguments]


def dbt_flags(settings: Settings) -> list[str]:
    """Options every dbt command gets: absolute paths, the home's target folder, the variables."""
    flags = [
        "--project-dir", str(settings.dbt_project_dir),
        "--profiles-dir", str(settings.dbt_project_dir),
        "--target-path", str(settings.dbt_target),
        "--log-path", str(settings.dbt_target / "logs"),
    ]  # fmt: skip
    return [*flags, "--vars", json.dumps(dbt_vars(settings))]


def _project_files(settings: Settings) -> Iterable[Path]:
    for folder in ("models", "macros", "tests"):
        yield from sorted(
            p for p in (settings.dbt_project_dir / folder).rglob("*") if p.suffix in {".sql", ".yml", ".py"}
        )
    yield from (settings.dbt_project_dir / "dbt_project.yml", settings.dbt_project_dir / "profiles.yml")
    yield from sorted(settings.seeds_dir.glob("*.csv"))


def project_digest(settings: Settings) -> str:
    """Digest of everything that a build follows from besides raw: the files of the dbt project, the seeds and the variables."""
    digest = hashlib.sha256(json.dumps([dbt_vars(settings), str(settings.dbt_project_dir)]).encode())
    for path in _project_files(settings):
        digest.update(f"{path}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure_manifest(settings: Settings) -> Path:
    """Parse the dbt project unless the manifest in the home was parsed from these very files and variables.

    Returns:
        Path of manifest.json.

    Raises:
        DbtParseError: dbt refused the project.
    """
    digest = project_digest(settings)
    manifest, stamp = settings.dbt_target / "manifest.json", settings.dbt_target / "manifest.sha256"
    if manifest.exists() and stamp.exists() and stamp.read_text() == digest:
        return manifest
    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    done = subprocess.run(
        dbt_command("--quiet", "parse", *dbt_flags(settings)),
        env=dbt_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise DbtParseError(f"dbt cannot parse {settings.dbt_project_dir}:\n{(done.stdout + done.stderr).strip()}")
    stamp.write_text(digest)
    return manifest


@dataclass
class _Waiting:
    """A dbt that has read the project and waits to be told what to build."""

    process: subprocess.Popen[str]
    digest: str


_waiting: dict[Path, _Waiting] = {}


def warm_up(settings: Settings) -> None:
    """Start the dbt of the coming build, so that it reads its own program and the project while other work goes on.

    It ends with this process, or with `cool_down`. Calling twice starts one.

    Raises:
        DbtParseError: dbt refused the project.
    """
    ensure_manifest(settings)
    if settings.home not in _waiting:
        process = subprocess.Popen(
            dbt_command("--wait", "--quiet", *_QUIETLY, "parse", *dbt_flags(settings)),
            env=dbt_environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        _waiting[settings.home] = _Waiting(process, project_digest(settings))


def cool_down(settings: Settings) -> None:
    """End the dbt that waits, if one does."""
    waiting = _waiting.pop(settings.home, None)
    if waiting is not None:
        waiting.process.kill()
        with waiting.process:
            pass


def plan_of(settings: Settings, *, full: bool = False) -> BuildPlan:
    """What the next build has to do (`build_plan.plan_build`)."""
    return plan_build(settings, ensure_manifest(settings), _variables(settings), full=full)


def run_build(settings: Settings, plan: BuildPlan, *, full: bool, tell: Callable[[str], None]) -> Path:
    """Run `dbt build` to its end, whatever comes of it; `run_results.json` in the home's target folder says what did.

    Args:
        plan: what to build and whose results to carry over.
        full: rebuild every incremental model whole.
        tell: is told the count of done models and tests.

    Returns:
        The file with what dbt printed.
    """
    log = settings.dbt_target / "logs" / "refresh.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    results = settings.dbt_target / "run_results.json"
    # Results of an earlier run must not open the gate for this one.
    results.unlink(missing_ok=True)
    if plan.chosen == ():
        cool_down(settings)
        log.write_text("Nothing has changed; dbt was not started.\n", encoding="utf-8")
        results.write_text(json.dumps({"results": plan.carried}), encoding="utf-8")
        return log
    arguments = [*_QUIETLY, "build", *dbt_flags(settings), *(["--full-refresh"] if full else [])]
    command = {"arguments": arguments, "chosen": plan.chosen, "results": str(results)}
    waiting = _waiting.get(settings.home)
    if waiting is not None and (waiting.process.poll() is not None or waiting.digest != project_digest(settings)):
        cool_down(settings)
    warm_up(settings)
    with log.open("w", encoding="utf-8", buffering=1) as file, _waiting.pop(settings.home).process as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            print(json.dumps(command), file=process.stdin, flush=True)
            for line in process.stdout:
                file.write(line)
                done = re.search(r"(\d+) of (\d+) (?:OK|PASS|FAIL|ERROR|WARN|SKIP)\b", line)
                if done:
                    tell(f"building and testing the warehouse ({done[1]} of {done[2]})")
        except BaseException:
            # Whoever stops the build stops its dbt; leaving the block would wait for it to finish.
            process.kill()
            raise
    if results.exists():
        fresh = json.loads(results.read_text(encoding="utf-8"))
        fresh["results"] = [*plan.carried, *fresh["results"]]
        results.write_text(json.dumps(fresh), encoding="utf-8")
        keep_results(settings, plan, fresh["results"])
    return log
