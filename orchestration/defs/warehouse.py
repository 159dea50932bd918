"""The dbt project as assets: one `dbt build` a run, then the gate."""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from orchestration import runs, warehouse
from orchestration.defs.raw import raw_key
from orchestration.defs.resources import Home
from orchestration.serving import gate, publish
from orchestration.settings import Settings


class Translator(DagsterDbtTranslator):
    """Raw tables are the assets of their source; models are grouped by layer."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            name = dbt_resource_props["source_name"]
            return dg.AssetKey(["raw", "ledger"]) if name == "raw_meta" else raw_key(name)
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return str(dbt_resource_props["fqn"][1]) if dbt_resource_props["resource_type"] == "model" else "seeds"


class _Log(io.TextIOBase):
    """Where dbt's lines go: a file below the home; the count of done nodes goes to whoever listens to the run."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")

    def write(self, text: str) -> int:
        self._file.write(text)
        done = re.search(r"(\d+) of (\d+) (?:OK|PASS|FAIL|ERROR)\b", text)
        if done:
            runs.tell(f"building and testing the warehouse ({done[1]} of {done[2]})")
        return len(text)

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        self._file.close()
        super().close()


class RefreshConfig(dg.Config):
    """Options of one run."""

    full: bool = False


def warehouse_assets(settings: Settings, manifest: Path) -> dg.AssetsDefinition:
    """All dbt models as one multi-asset."""
    translator = Translator(
        DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True, enable_code_references=False)
    )

    @dbt_assets(manifest=manifest, dagster_dbt_translator=translator, name="warehouse")
    def warehouse_models(
        context: dg.AssetExecutionContext, home: Home, dbt: DbtCliResource, config: RefreshConfig
    ) -> Iterator[Any]:
        current = home.settings
        record = runs.RunRecord(current, context.run_id)
        record.stage("build")
        runs.tell("building and testing the warehouse")
        warehouse.write_expected_fingerprints(current, manifest)
        arguments = ["build", *warehouse.dbt_flags(current), *(["--full-refresh"] if config.full else [])]
        # Results of an earlier run must not open the gate for this one.
        (current.dbt_target / "run_results.json").unlink(missing_ok=True)
        invocation = dbt.cli(
            arguments,
            context=context,
            manifest=manifest,
            target_path=current.dbt_target,
            raise_on_error=False,
        )
        with _Log(current.dbt_target / "logs" / "refresh.log") as log, redirect_stdout(log):
            yield from invocation.stream()
        record.stage("gate")
        runs.tell("checking the tests")
        if not (current.dbt_target / "run_results.json").exists():
            raise dg.Failure(f"dbt did not run; its log is {current.dbt_target / 'logs' / 'dbt.log'}")
        verdict = gate.judge(current)
        failed = [row for row in verdict.test_results if row["status"] != "pass"]
        record.update(tests=len(verdict.test_results), tests_failed=len(failed), stale=list(verdict.stale))
        if not verdict.is_open:
            record.finish("held", "; ".join(verdict.reasons))
            publish.write_status(
                current,
                {
                    "outcome": "failed",
                    "run_id": context.run_id,
                    "reasons": list(verdict.reasons),
                    "version": publish.published_version(current),
                },
            )
            raise dg.Failure(
                "The gate is closed, the published snapshot stays: " + "; ".join(verdict.reasons), allow_retries=False
            )

    return warehouse_models


def dbt_resource(settings: Settings) -> DbtCliResource:
    """dbt of this very environment, with absolute paths and without telemetry."""
    return DbtCliResource(
        project_dir=str(settings.dbt_project_dir),
        profiles_dir=str(settings.dbt_project_dir),
        dbt_executable=str(warehouse.DBT_EXECUTABLE),
        global_config_flags=["--no-send-anonymous-usage-stats", "--no-use-colors"],
    )
