"""What others build on: public columns, metrics, declared tables. An accidental rename shows here as a difference.

A meant change is written down with `python -m tests.conventions.test_public_surface`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from orchestration.settings import PROJECT_ROOT
from orchestration.sources.declarations import load_declarations

SURFACE = Path(__file__).with_name("public_surface.json")


def surface() -> dict[str, Any]:
    """Public marts with their columns, metrics with their versions, sources with their tables and feeds."""
    marts: dict[str, list[str]] = {}
    metrics: dict[str, int] = {}
    for path in sorted((PROJECT_ROOT / "dbt_project" / "models" / "marts").rglob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for model in content.get("models", []):
            if model.get("config", {}).get("meta", {}).get("public"):
                marts[model["name"]] = [f"{column['name']} {column['data_type']}" for column in model["columns"]]
        metrics |= {metric["name"]: metric["config"]["meta"]["version"] for metric in content.get("metrics", [])}
    sources = {
        name: {"feeds": list(found.feeds), "tables": sorted(found.tables)}
        for name, found in load_declarations().items()
    }
    return {"marts": marts, "metrics": metrics, "sources": sources}


def test_the_public_surface_is_as_written_down() -> None:
    assert surface() == json.loads(SURFACE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    SURFACE.write_text(json.dumps(surface(), ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
