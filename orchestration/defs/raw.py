"""One asset a source: its inbox files in the raw database."""

from collections.abc import Iterable

import dagster as dg

from orchestration import runs
from orchestration.defs.resources import Home
from orchestration.sources.declarations import SourceDeclaration, load_declarations
from orchestration.sources.files import load_inbox


def raw_key(source: str) -> dg.AssetKey:
    """Asset key of a source's raw tables."""
    return dg.AssetKey(["raw", source])


def raw_asset(declaration: SourceDeclaration, enabled: Iterable[str]) -> dg.AssetsDefinition:
    """The asset that loads one source."""
    names = list(enabled)

    @dg.asset(
        key=raw_key(declaration.source),
        group_name="raw",
        description=f"{declaration.label['en']}: {len(declaration.tables)} tables, as sent.",
        kinds={"duckdb", "file"},
    )
    def raw_source(context: dg.AssetExecutionContext, home: Home) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings = home.settings
        record = runs.RunRecord(settings, context.run_id)
        if record.facts.get("stage") is None:
            record.stage("load")
        declarations = load_declarations(names)
        report = load_inbox(
            settings,
            declarations,
            context.run_id,
            only=[declaration.source],
            progress=lambda done, total, name: runs.tell(f"loading {name} ({done + 1} of {total})"),
        )
        for result in report.files:
            if result.status in ("refused", "unmatched", "deferred"):
                context.log.warning(f"{result.source}/{result.file} {result.status}: {result.message}")
        loaded, refused = report.of_status("loaded"), report.of_status("refused")
        facts = record.facts.setdefault("sources", {})
        facts[declaration.source] = {
            "files_loaded": len(loaded),
            "rows_loaded": report.rows,
            "damaged": sum(result.damaged for result in loaded),
            "refused": [{"file": result.file, "message": result.message} for result in refused],
            "unmatched": [result.file for result in report.of_status("unmatched")],
        }
        record.update(rows_loaded=sum(int(entry["rows_loaded"]) for entry in facts.values()))
        return dg.MaterializeResult(
            metadata={
                "files loaded": len(loaded),
                "files refused": len(refused),
                "rows loaded": report.rows,
                "damaged records": sum(result.damaged for result in loaded),
            }
        )

    return raw_source
