"""One asset a source: its inbox files in the raw database. One step loads them all, since closing the database costs by its size."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from orchestration import runs
from orchestration.defs.resources import Home
from orchestration.sources.declarations import SourceDeclaration, load_declarations
from orchestration.sources.files import LoadReport, load_inbox


def raw_key(source: str) -> dg.AssetKey:
    """Asset key of a source's raw tables."""
    return dg.AssetKey(["raw", source])


def _facts(report: LoadReport, source: str) -> dict[str, Any]:
    """What the run record keeps of one source."""
    results = [result for result in report.files if result.source == source]
    loaded = [result for result in results if result.status == "loaded"]
    return {
        "files_loaded": len(loaded),
        "rows_loaded": sum(result.rows for result in loaded),
        "damaged": sum(result.damaged for result in loaded),
        "refused": [
            {"file": result.file, "message": result.message} for result in results if result.status == "refused"
        ],
        "unmatched": [result.file for result in results if result.status == "unmatched"],
    }


def raw_assets(declarations: Mapping[str, SourceDeclaration]) -> dg.AssetsDefinition:
    """The assets that load the enabled sources."""
    names = list(declarations)

    @dg.multi_asset(
        name="raw",
        can_subset=True,
        specs=[
            dg.AssetSpec(
                raw_key(declaration.source),
                group_name="raw",
                description=f"{declaration.label['en']}: {len(declaration.tables)} tables, as sent.",
                kinds={"duckdb", "file"},
                skippable=True,
            )
            for declaration in declarations.values()
        ],
    )
    def raw_sources(context: dg.AssetExecutionContext, home: Home) -> Iterator[Any]:
        settings = home.settings
        record = runs.RunRecord(settings, context.run_id)
        record.stage("load")
        chosen = [name for name in names if raw_key(name) in context.selected_asset_keys]
        report = load_inbox(
            settings,
            load_declarations(names),
            context.run_id,
            only=chosen,
            progress=lambda done, total, name: runs.tell(f"loading {name} ({done + 1} of {total})"),
        )
        for result in report.files:
            if result.status in ("refused", "unmatched", "deferred"):
                context.log.warning(f"{result.source}/{result.file} {result.status}: {result.message}")
        facts = {name: _facts(report, name) for name in chosen}
        record.update(sources=facts, rows_loaded=report.rows)
        for name, found in facts.items():
            yield dg.MaterializeResult(
                asset_key=raw_key(name),
                metadata={
                    "files loaded": found["files_loaded"],
                    "files refused": len(found["refused"]),
                    "rows loaded": found["rows_loaded"],
                    "damaged records": found["damaged"],
                },
            )

    return raw_sources
