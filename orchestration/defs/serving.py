"""The published snapshot as an asset."""

from collections.abc import Mapping, Sequence

import dagster as dg
import duckdb

from orchestration import runs
from orchestration.defs.resources import Home, RefreshConfig
from orchestration.serving import build, gate, publish


def snapshot_asset(upstream: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset that builds a snapshot from the marts and makes it the published one."""

    key = dg.AssetKey(["serving", "snapshot"])

    @dg.asset(
        key=key,
        group_name="serving",
        deps=list(upstream),
        kinds={"duckdb"},
        check_specs=[dg.AssetCheckSpec("gate", asset=key, description="The tests that the published data passed.")],
    )
    def snapshot(context: dg.AssetExecutionContext, home: Home, config: RefreshConfig) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings = home.settings
        record = runs.RunRecord(settings, context.run_id)
        record.stage("snapshot")
        verdict = gate.judge(settings)
        with duckdb.connect(str(settings.warehouse_path), read_only=True) as warehouse:
            counts = warehouse.execute(
                "select coalesce(sum(received), 0), coalesce(sum(used), 0), coalesce(sum(superseded), 0), coalesce(sum(quarantined), 0)"
                " from marts.fct_load_accounting"
            ).fetchone()
        assert counts is not None
        received, used, superseded, quarantined = (int(count) for count in counts)
        record.update(received=received, used=used, superseded=superseded, quarantined=quarantined)
        before = [_run_row(entry) for entry in runs.recent_runs(settings) if entry["run_id"] != context.run_id]
        built = build.build_snapshot(
            settings,
            run_id=context.run_id,
            runs=[*before, _run_row({**record.facts, "outcome": "published", **record.so_far()})],
            test_results=verdict.test_results,
            stale_reasons=verdict.stale,
            whole=config.full,
            progress=lambda name: runs.tell(f"snapshot: {name}"),
        )
        record.stage("publish")
        runs.tell("publishing")
        publish.publish(settings, built.version)
        publish.write_status(
            settings, {"outcome": "published", "run_id": context.run_id, "reasons": [], "version": built.version}
        )
        record.stage("done")
        record.update(version=built.version, snapshot_bytes=built.size_bytes)
        record.finish("published")
        return dg.MaterializeResult(
            metadata={
                "version": built.version,
                "bytes": built.size_bytes,
                "seconds": built.seconds,
                "rows received": received,
                "rows used": used,
                "rows superseded": superseded,
                "rows quarantined": quarantined,
            },
            check_results=[_gate_check(verdict.test_results)],
        )

    return snapshot


def _gate_check(test_results: Sequence[Mapping[str, object]]) -> dg.AssetCheckResult:
    """The one check of a published snapshot: how many tests it passed, and which of the lesser ones it did not."""
    failed = [str(row["name"]) for row in test_results if row["status"] != "pass"]
    return dg.AssetCheckResult(
        passed=True, check_name="gate", metadata={"tests": len(test_results), "tests that failed": failed}
    )


def _run_row(record: dict[str, object]) -> dict[str, object]:
    return {
        **{
            name: record.get(name)
            for name in (
                "run_id",
                "started_at",
                "ended_at",
                "outcome",
                "seconds",
                "rows_loaded",
                "quarantined",
                "message",
            )
        }
    }
