"""The dbt project as assets: one `dbt build` a run, then the gate.

What Dagster shows is what a scheduler asks about: the canonical feeds and the marts, with rows and seconds. The staging
views and helper models between them are dbt's own matter; its lineage has them all.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from orchestration import runs, warehouse
from orchestration.defs.raw import raw_key
from orchestration.defs.resources import Home, RefreshConfig
from orchestration.serving import gate, publish
from orchestration.settings import Settings


def _feed_of(node: Mapping[str, Any]) -> str | None:
    """Feed that a model is the used version of (`int_calls` -> calls), or None."""
    name = str(node["name"])
    is_feed = node["fqn"][1:3] == ["intermediate", "feeds"] and not name.endswith("__received")
    return name.removeprefix("int_") if is_feed else None


def _is_shown(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] == "model" and (node["schema"] == "marts" or _feed_of(node) is not None)


def asset_key(node: Mapping[str, Any]) -> dg.AssetKey:
    """Asset key of a feed (`feed/calls`) or mart (`marts/fct_calls`)."""
    feed = _feed_of(node)
    return dg.AssetKey(["marts", node["name"]] if feed is None else ["feed", feed])


def shown_nodes(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """dbt models that are assets, by their dbt id."""
    return {unique_id: node for unique_id, node in sorted(manifest["nodes"].items()) if _is_shown(node)}


def asset_specs(manifest: Mapping[str, Any]) -> list[dg.AssetSpec]:
    """One asset for each feed and mart; it depends on the nearest feeds, marts and raw sources above it."""
    nodes, sources = manifest["nodes"], manifest["sources"]
    found: dict[str, frozenset[dg.AssetKey]] = {}

    def nearest(unique_id: str) -> frozenset[dg.AssetKey]:
        """Assets that stand directly above a node when everything that is not shown is left out."""
        if unique_id not in found:
            above: set[dg.AssetKey] = set()
            for parent in nodes[unique_id]["depends_on"].get("nodes", []):
                if parent in sources:
                    if sources[parent]["source_name"] != "raw_meta":
                        above.add(raw_key(sources[parent]["source_name"]))
                elif _is_shown(nodes[parent]):
                    above.add(asset_key(nodes[parent]))
                else:
                    above |= nearest(parent)
            found[unique_id] = frozenset(above)
        return found[unique_id]

    return [
        dg.AssetSpec(
            asset_key(node),
            deps=sorted(nearest(unique_id), key=str),
            description=node["description"],
            group_name="marts" if node["schema"] == "marts" else "feeds",
            kinds={"dbt", "duckdb"},
        )
        for unique_id, node in shown_nodes(manifest).items()
    ]


def _row_counts(settings: Settings) -> dict[tuple[str, str], dict[str, int]]:
    """(schema, name) -> counts: received, used, superseded and quarantined of a feed, rows of a mart that is a table."""
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        counts: dict[tuple[str, str], dict[str, int]] = {
            ("marts", name): {"dagster/row_count": int(size)}
            for name, size in connection.execute(
                "select table_name, estimated_size from duckdb_tables() where schema_name = 'marts' and database_name = current_database()"
            ).fetchall()
        }
        for feed, *numbers in connection.execute(
            "select feed, sum(received), sum(used), sum(superseded), sum(quarantined) from marts.fct_load_accounting group by feed"
        ).fetchall():
            names = ("received", "used", "superseded", "quarantined")
            counts["feed", feed] = {name: int(number) for name, number in zip(names, numbers, strict=True)}
    return counts


def _results(settings: Settings, manifest: Mapping[str, Any]) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """What became of each asset of a build that passed the gate, with its dbt tests.

    The tests are facts of their asset, not Dagster's checks: a check costs four events, each of which waits for the disk.
    """
    nodes, shown = manifest["nodes"], shown_nodes(manifest)
    counts = _row_counts(settings)
    results = {
        result["unique_id"]: result
        for result in json.loads((settings.dbt_target / "run_results.json").read_text(encoding="utf-8"))["results"]
    }
    tests: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for unique_id, result in results.items():
        attached = nodes[unique_id].get("attached_node") if unique_id in nodes else None
        if attached in shown:
            tests[attached].append(result)
    # Dagster wants what stands above first.
    above = {unique_id: node["depends_on"].get("nodes", []) for unique_id, node in nodes.items()}
    for unique_id in TopologicalSorter(above).static_order():
        if unique_id in shown and unique_id in results:
            key = asset_key(shown[unique_id])
            failing = {
                nodes[test["unique_id"]]["name"]: int(test["failures"])
                for test in tests[unique_id]
                if test.get("failures")
            }
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "seconds": float(results[unique_id]["execution_time"]),
                    "tests": len(tests[unique_id]),
                    **({"rows that fail": failing} if failing else {}),
                    **counts.get((key.path[0], key.path[1]), {}),
                },
            )


def warehouse_assets(manifest_path: Path) -> dg.AssetsDefinition:
    """All feeds and marts as one multi-asset."""
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))

    @dg.multi_asset(specs=asset_specs(manifest), name="warehouse")
    def warehouse_models(context: dg.AssetExecutionContext, home: Home, config: RefreshConfig) -> Iterator[Any]:
        current = home.settings
        record = runs.RunRecord(current, context.run_id)
        record.stage("build")
        runs.tell("building and testing the warehouse")
        plan = warehouse.plan_of(current, full=config.full)
        record.update(left_out=len(plan.carried))
        log = warehouse.run_build(current, plan, full=config.full, tell=runs.tell)
        record.stage("gate")
        runs.tell("checking the tests")
        if not (current.dbt_target / "run_results.json").exists():
            raise dg.Failure(f"dbt did not run; its log is {log}")
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
        yield from _results(current, manifest)

    return warehouse_models
