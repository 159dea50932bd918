"""The metric catalogue: dbt's semantic manifest -> the rows that a snapshot carries.

Belongs here: which metrics exist and what a reader needs to know of them. Does not belong here: computing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNITS = ("count", "share", "seconds", "minutes", "score", "points", "currency")
DIRECTIONS = ("up", "down", "none")
INTERVALS = ("wilson", "mean", "nps", "none")
_NEEDED = ("label_zh", "description_zh", "unit", "direction", "family", "formula", "interval", "version")


class CatalogueError(ValueError):
    """A metric is defined in a way that cannot be served; the message names metric and fault."""


@dataclass(frozen=True)
class Measure:
    """One measure of a semantic model; `percentile` is None for an additive one."""

    name: str
    expression: str
    percentile: float | None


@dataclass(frozen=True)
class SemanticModel:
    """One mart as the metrics see it."""

    name: str
    time_column: str
    dimensions: tuple[str, ...]
    measures: Mapping[str, Measure]

    @property
    def additive(self) -> list[Measure]:
        return [measure for measure in self.measures.values() if measure.percentile is None]

    @property
    def percentiles(self) -> list[Measure]:
        return [measure for measure in self.measures.values() if measure.percentile is not None]


def semantic_models(manifest: Mapping[str, Any]) -> dict[str, SemanticModel]:
    """Semantic models by name.

    Raises:
        CatalogueError: a measure that is neither a sum nor a percentile.
    """
    found = {}
    for entry in manifest["semantic_models"]:
        measures = {}
        for measure in entry["measures"]:
            name, kind = measure["name"], measure["agg"]
            if kind == "percentile":
                measures[name] = Measure(name, measure["expr"] or name, float(measure["agg_params"]["percentile"]))
            elif kind == "sum":
                measures[name] = Measure(name, measure["expr"] or name, None)
            else:
                raise CatalogueError(
                    f"measure {name} of {entry['name']}: agg {kind!r} cannot be served; use sum or percentile."
                )
        found[entry["name"]] = SemanticModel(
            name=entry["name"],
            time_column=entry["defaults"]["agg_time_dimension"],
            dimensions=tuple(d["name"] for d in entry["dimensions"] if d["type"] == "categorical"),
            measures=measures,
        )
    return found


def catalogue_rows(manifest: Mapping[str, Any], targets: Mapping[str, float]) -> list[dict[str, Any]]:
    """One row per metric; dbt's helper metrics, one a measure (`create_metric: true`), stay out.

    Args:
        targets: target that holds now, by metric.

    Raises:
        CatalogueError: a metric lacks something or refers to what is not there.
    """
    models = semantic_models(manifest)
    owner = {measure: model for model in models.values() for measure in model.measures}
    rows = []
    for metric in manifest["metrics"]:
        meta = (metric.get("config") or {}).get("meta") or {}
        name = metric["name"]
        if metric.get("description") == f"Metric created from measure {name}":
            continue
        missing = [key for key in _NEEDED if meta.get(key) in (None, "")] + [
            key for key in ("label", "description") if not metric.get(key)
        ]
        if missing:
            raise CatalogueError(f"metric {name}: {', '.join(missing)} missing in its YAML.")
        for key, accepted in (("unit", UNITS), ("direction", DIRECTIONS), ("interval", INTERVALS)):
            if meta[key] not in accepted:
                raise CatalogueError(f"metric {name}: {key} {meta[key]!r}; use one of {', '.join(accepted)}.")
        parameters = metric["type_params"]
        parts = [parameters.get(part) or {} for part in ("measure", "numerator", "denominator")]
        if any(part.get("filter") for part in (metric, *parts)):
            raise CatalogueError(
                f"metric {name}: a `filter` is not served; write the condition into a measure (`case when … then 1 else 0 end`)."
            )
        if any(
            part.get(key)
            for part in parts
            for key in ("offset_window", "offset_to_grain", "fill_nulls_with", "join_to_timespine")
        ):
            raise CatalogueError(f"metric {name}: offsets, fill_nulls_with and join_to_timespine are not served.")
        measure = numerator = denominator = percentile = None
        if metric["type"] == "simple":
            measure = parameters["measure"]["name"]
            used = [measure]
        elif metric["type"] == "ratio":
            numerator, denominator = parameters["numerator"]["name"], parameters["denominator"]["name"]
            used = [numerator, denominator]
            used += [f"{numerator}_squares"] if meta["interval"] == "mean" else []
            used += ["promoters", "detractors"] if meta["interval"] == "nps" else []
        else:
            raise CatalogueError(f"metric {name}: type {metric['type']!r} cannot be served; use simple or ratio.")
        unknown = [part for part in used if part not in owner]
        if unknown:
            raise CatalogueError(f"metric {name}: there is no measure {', '.join(unknown)}.")
        model = owner[used[0]]
        if any(owner[part].name != model.name for part in used):
            raise CatalogueError(
                f"metric {name}: its measures stand in different marts ({', '.join(owner[part].name for part in used)})."
            )
        if measure is not None:
            percentile = model.measures[measure].percentile
        rows.append(
            {
                "name": name,
                "type": "ratio" if metric["type"] == "ratio" else "count" if percentile is None else "percentile",
                "label_en": metric["label"],
                "label_zh": meta["label_zh"],
                "description_en": metric["description"],
                "description_zh": meta["description_zh"],
                "formula": meta["formula"],
                "unit": meta["unit"],
                "direction": meta["direction"],
                "family": meta["family"],
                "is_default": bool(meta.get("is_default_of_family", True)),
                "clock": model.time_column,
                "interval": meta["interval"],
                "minimum_base": meta.get("minimum_base"),
                "target": targets.get(name),
                "version": int(meta["version"]),
                "headline": meta.get("headline"),
                "model": model.name,
                "measure": measure,
                "numerator": numerator,
                "denominator": denominator,
                "percentile": percentile,
                "dimensions": model.dimensions,
            }
        )
    return sorted(rows, key=lambda row: str(row["name"]))
