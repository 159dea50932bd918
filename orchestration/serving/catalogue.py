"""The metric catalogue: dbt's semantic manifest -> the rows that a snapshot carries.

Belongs here: which metrics exist and what a reader needs to know of them. Does not belong here: computing one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from dashboards.data.expressions import ExpressionError, names_in
from dashboards.data.metrics import GRAINS, WEIGHTED_INTERVALS

UNITS = ("count", "share", "seconds", "minutes", "score", "points", "currency")
DIRECTIONS = ("up", "down", "none")
INTERVALS = ("wilson", "mean", "ratio", "nps", *WEIGHTED_INTERVALS, "none")
_NEEDED = (
    "label_zh",
    "description_zh",
    "unit",
    "direction",
    "family",
    "formula",
    "interval",
    "version",
    "default_grain",
)
KINDS = {"sum": "sum", "percentile": "percentile", "max": "percentile", "count_distinct": "distinct"}
"""Aggregates of dbt's measures that can be served, and what they are called here. A maximum is the percentile 1."""


class CatalogueError(ValueError):
    """A metric is defined in a way that cannot be served; the message names metric and fault."""


@dataclass(frozen=True)
class Measure:
    """One measure of a semantic model. `kind`: sum, stock, percentile or distinct; `percentile` is None for all but the third."""

    name: str
    expression: str
    kind: str
    percentile: float | None = None


@dataclass(frozen=True)
class SemanticModel:
    """One mart as the metrics see it."""

    name: str
    time_column: str
    dimensions: tuple[str, ...]
    measures: Mapping[str, Measure]

    @property
    def additive(self) -> list[Measure]:
        """What is summed by day and dimensions; over days a stock is not."""
        return [measure for measure in self.measures.values() if measure.kind in ("sum", "stock")]

    @property
    def percentiles(self) -> list[Measure]:
        return [measure for measure in self.measures.values() if measure.kind == "percentile"]


def semantic_models(manifest: Mapping[str, Any]) -> dict[str, SemanticModel]:
    """Semantic models by name.

    Raises:
        CatalogueError: a measure with an aggregate that is not served.
    """
    found = {}
    for entry in manifest["semantic_models"]:
        measures = {}
        for measure in entry["measures"]:
            name, aggregate = measure["name"], measure["agg"]
            if aggregate not in KINDS:
                raise CatalogueError(
                    f"measure {name} of {entry['name']}: agg {aggregate!r} cannot be served; use {', '.join(KINDS)}."
                )
            percentile = 1.0 if aggregate == "max" else None
            if aggregate == "percentile":
                percentile = float(measure["agg_params"]["percentile"])
            kind = "stock" if _is_stock(measure, entry) else KINDS[aggregate]
            measures[name] = Measure(name, measure["expr"] or name, kind, percentile)
        found[entry["name"]] = SemanticModel(
            name=entry["name"],
            time_column=entry["defaults"]["agg_time_dimension"],
            dimensions=tuple(d["name"] for d in entry["dimensions"] if d["type"] == "categorical"),
            measures=measures,
        )
    return found


def _is_stock(measure: Mapping[str, Any], model: Mapping[str, Any]) -> bool:
    """Whether a measure adds over everything but days.

    Raises:
        CatalogueError: it is not additive in a way that is not served.
    """
    rule = measure.get("non_additive_dimension")
    if not rule:
        return False
    clock = model["defaults"]["agg_time_dimension"]
    served = rule["name"] == clock and rule["window_choice"] == "max" and not rule.get("window_groupings")
    if not served or measure["agg"] != "sum":
        raise CatalogueError(
            f"measure {measure['name']} of {model['name']}: a stock is `agg: sum` with `non_additive_dimension: {{name: {clock}, window_choice: max}}`"
            " and no groupings."
        )
    return True


def catalogue_rows(manifest: Mapping[str, Any], targets: Mapping[str, float]) -> list[dict[str, Any]]:
    """One row per metric; dbt's helper metrics, one a measure (`create_metric: true`), stay out.

    Args:
        targets: target that holds now, by metric.

    Returns:
        Rows with the fields of `dashboards.data.metrics.Metric`, and `fingerprint`: equal as long as the number is computed
        the same way, whatever it is called.

    Raises:
        CatalogueError: a metric lacks something or refers to what is not there.
    """
    models = semantic_models(manifest)
    owner = {measure: model for model in models.values() for measure in model.measures}
    metrics = [
        metric
        for metric in manifest["metrics"]
        if metric.get("description") != f"Metric created from measure {metric['name']}"
    ]
    rows: dict[str, dict[str, Any]] = {}
    # Derived metrics last: they take clock and dimensions from what they are derived from.
    for metric in sorted(metrics, key=lambda entry: (entry["type"] == "derived", str(entry["name"]))):
        _check_words(metric)
        name, meta = str(metric["name"]), metric["config"]["meta"]
        body = _derived_body(metric, rows) if metric["type"] == "derived" else _body(metric, owner)
        rows[name] = {
            "name": name,
            "label_en": metric["label"],
            "label_zh": meta["label_zh"],
            "description_en": metric["description"],
            "description_zh": meta["description_zh"],
            "formula": meta["formula"],
            "unit": meta["unit"],
            "direction": meta["direction"],
            "family": meta["family"],
            "is_default": bool(meta.get("is_default_of_family", True)),
            "interval": meta["interval"],
            "minimum_base": meta.get("minimum_base"),
            "default_grain": meta["default_grain"],
            "target": targets.get(name),
            "version": int(meta["version"]),
            "headline": meta.get("headline"),
            "vendor_names": dict(meta.get("vendor_names") or {}),
            **body,
        }
    for row in rows.values():
        needs = [row["parts"], row["expression"], [rows[of]["parts"] for of in row["inputs"].values()]]
        row["fingerprint"] = hashlib.sha256(json.dumps(needs, sort_keys=True).encode()).hexdigest()
    _check_families(rows)
    return [rows[name] for name in sorted(rows)]


def _check_words(metric: Mapping[str, Any]) -> None:
    """What every metric must say of itself."""
    name, meta = metric["name"], (metric.get("config") or {}).get("meta") or {}
    missing = [key for key in _NEEDED if meta.get(key) in (None, "")] + [
        key for key in ("label", "description") if not metric.get(key)
    ]
    if missing:
        raise CatalogueError(f"metric {name}: {', '.join(missing)} missing in its YAML.")
    accepted = {"unit": UNITS, "direction": DIRECTIONS, "interval": INTERVALS, "default_grain": GRAINS}
    for key, values in accepted.items():
        if meta[key] not in values:
            raise CatalogueError(f"metric {name}: {key} {meta[key]!r}; use one of {', '.join(values)}.")
    changes = meta.get("changes") or []
    for change in changes:
        lacking = [key for key in ("version", "since", "en", "zh") if not change.get(key)]
        if lacking:
            raise CatalogueError(f"metric {name}: an entry under `changes` has no {', '.join(lacking)}.")
        try:
            date.fromisoformat(str(change["since"]))
        except ValueError:
            raise CatalogueError(
                f"metric {name}: `since` of its version {change['version']} is {change['since']!r}; write a day as 2026-01-31."
            ) from None
    announced = [change["version"] for change in changes]
    if announced != list(range(2, int(meta["version"]) + 1)):
        raise CatalogueError(
            f"metric {name}: version {meta['version']} needs one entry under `changes` for each version from 2 on, it has {announced}."
        )


def _check_families(rows: Mapping[str, Mapping[str, Any]]) -> None:
    for family in sorted({row["family"] for row in rows.values()}):
        default = [name for name, row in rows.items() if row["family"] == family and row["is_default"]]
        if len(default) != 1:
            raise CatalogueError(
                f"family {family}: one of its metrics must be the default (`is_default_of_family`), it has {', '.join(default) or 'none'}."
            )


def _body(metric: Mapping[str, Any], owner: Mapping[str, SemanticModel]) -> dict[str, Any]:
    """Type, parts and what follows from them, of a metric over measures."""
    name, meta, parameters = metric["name"], metric["config"]["meta"], metric["type_params"]
    inputs = [parameters.get(part) or {} for part in ("measure", "numerator", "denominator")]
    if any(part.get("filter") for part in (metric, *inputs)):
        raise CatalogueError(
            f"metric {name}: a `filter` is not served; write the condition into a measure (`case when … then 1 else 0 end`)."
        )
    if any(
        part.get(key)
        for part in inputs
        for key in ("offset_window", "offset_to_grain", "fill_nulls_with", "join_to_timespine")
    ):
        raise CatalogueError(f"metric {name}: offsets, fill_nulls_with and join_to_timespine are not served.")
    if metric["type"] == "simple":
        used = {"value": parameters["measure"]["name"]}
    elif metric["type"] == "ratio":
        used = {part: parameters[part]["name"] for part in ("numerator", "denominator")}
        interval = meta["interval"]
        used |= {"squares": f"{used['numerator']}_squares"} if interval in ("mean", "mean_weighted") else {}
        used |= {part: part for part in ("promoters", "detractors")} if interval == "nps" else {}
        used |= {part: f"weighted_{part}" for part in ("promoters", "detractors")} if interval == "nps_weighted" else {}
        used |= {"weight_squares": f"{used['denominator']}_squares"} if interval in WEIGHTED_INTERVALS else {}
        if interval == "ratio":
            used |= {
                "squares": f"{used['numerator']}_squares",
                "products": f"{used['numerator']}_times_base",
                "base_squares": f"{used['denominator']}_squares",
                "units": f"{used['denominator']}_units",
            }
    else:
        raise CatalogueError(f"metric {name}: type {metric['type']!r} cannot be served; use simple, ratio or derived.")
    unknown = [measure for measure in used.values() if measure not in owner]
    if unknown:
        raise CatalogueError(f"metric {name}: there is no measure {', '.join(unknown)}.")
    parts = []
    for part, measure in used.items():
        model, found = owner[measure], owner[measure].measures[measure]
        parts.append(
            {
                "name": part,
                "model": model.name,
                "measure": measure,
                "kind": found.kind,
                "expression": found.expression,
                "percentile": found.percentile,
                "clock": model.time_column,
                "dimensions": list(model.dimensions),
            }
        )
    kinds = {part["kind"] for part in parts}
    if metric["type"] == "ratio" and "percentile" in kinds:
        raise CatalogueError(f"metric {name}: a percentile is no part of a ratio.")
    share_of = meta.get("share_of")
    if share_of is not None:
        _check_share(metric, share_of, parts)
        # Written only where there is one, so that the fingerprints of all other definitions stay.
        parts = [part | ({"ignores": share_of} if part["name"] == "denominator" else {}) for part in parts]
    within = meta.get("interval_within")
    if within is not None:
        if metric["type"] != "ratio" or any(within not in part["dimensions"] for part in parts):
            raise CatalogueError(
                f"metric {name}: `interval_within: {within}` needs a ratio whose mart has that dimension."
            )
        parts = [part | ({"within": within} if part["name"] == "denominator" else {}) for part in parts]
    simple = {"sum": "count"}.get(parts[0]["kind"], parts[0]["kind"])
    return {
        "type": "ratio" if metric["type"] == "ratio" else simple,
        "model": ", ".join(sorted({part["model"] for part in parts})),
        "clock": ", ".join(sorted({part["clock"] for part in parts})),
        "parts": parts,
        "expression": None,
        "inputs": {},
        "dimensions": [one for one in parts[0]["dimensions"] if all(one in part["dimensions"] for part in parts)],
    }


def _check_share(metric: Mapping[str, Any], share_of: str, parts: Sequence[Mapping[str, Any]]) -> None:
    """`share_of: <dimension>`: the denominator is the whole over that dimension."""
    name = metric["name"]
    if (
        metric["type"] != "ratio"
        or {part["kind"] for part in parts} - {"sum", "stock"}
        or len({part["model"] for part in parts}) > 1
    ):
        raise CatalogueError(f"metric {name}: `share_of` needs a ratio of sums of one mart.")
    if share_of not in parts[0]["dimensions"]:
        raise CatalogueError(
            f"metric {name}: `share_of: {share_of}`; the dimensions of {parts[0]['model']} are {', '.join(parts[0]['dimensions'])}."
        )


def _derived_body(metric: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Expression and inputs of a derived metric, and what follows from them."""
    name, parameters = metric["name"], metric["type_params"]
    inputs = {entry.get("alias") or entry["name"]: entry for entry in parameters["metrics"]}
    if any(entry.get(key) for entry in inputs.values() for key in ("filter", "offset_window", "offset_to_grain")):
        raise CatalogueError(f"metric {name}: filters and offsets on the inputs of a derived metric are not served.")
    unknown = [entry["name"] for entry in inputs.values() if entry["name"] not in rows]
    if unknown or any(rows[entry["name"]]["type"] == "derived" for entry in inputs.values()):
        raise CatalogueError(
            f"metric {name}: it may be derived from metrics that are not derived themselves; "
            + (f"there is no metric {', '.join(unknown)}." if unknown else "write their arithmetic out.")
        )
    try:
        needed = names_in(parameters["expr"])
    except ExpressionError as error:
        raise CatalogueError(f"metric {name}: {error}") from None
    if needed != set(inputs):
        raise CatalogueError(
            f"metric {name}: its expression names {', '.join(sorted(needed))}, its inputs are {', '.join(sorted(inputs))}."
        )
    if metric["config"]["meta"]["interval"] != "none":
        raise CatalogueError(f"metric {name}: no interval can be stated for a derived metric; write `interval: none`.")
    behind = [rows[entry["name"]] for entry in inputs.values()]
    return {
        "type": "derived",
        "model": ", ".join(sorted({str(row["model"]) for row in behind})),
        "clock": ", ".join(sorted({str(row["clock"]) for row in behind})),
        "parts": [],
        "expression": parameters["expr"],
        "inputs": {alias: entry["name"] for alias, entry in inputs.items()},
        "dimensions": [one for one in behind[0]["dimensions"] if all(one in row["dimensions"] for row in behind)],
    }


def metric_changes(
    manifest: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    last: Mapping[str, Mapping[str, Any]],
    known: Sequence[Mapping[str, Any]],
    today: date,
) -> list[dict[str, Any]]:
    """Changes of definitions, for the charts to mark: those the YAML announces (`changes`), and those that nobody announced.

    Args:
        rows: the catalogue of the new snapshot.
        last: name -> version, fingerprint and formula in the snapshot before.
        known: changes that the snapshot before knew.
        today: day on which an unannounced change is dated.
    """
    found = []
    for metric in manifest["metrics"]:
        for change in ((metric.get("config") or {}).get("meta") or {}).get("changes") or []:
            found.append(
                {
                    "metric": metric["name"],
                    "version": int(change["version"]),
                    "changed_on": date.fromisoformat(str(change["since"])),
                    "what_en": change["en"],
                    "what_zh": change["zh"],
                    "is_announced": True,
                }
            )
    names = {row["name"] for row in rows}
    found += [dict(change) for change in known if not change["is_announced"] and change["metric"] in names]
    for row in rows:
        before = last.get(str(row["name"]))
        if before and before["fingerprint"] != row["fingerprint"] and before["version"] == row["version"]:
            found.append(
                {
                    "metric": row["name"],
                    "version": row["version"],
                    "changed_on": today,
                    "what_en": f"Computed differently without a new version (formula before: {before['formula']}).",
                    "what_zh": f"计算方式已变而版本未更新（原公式：{before['formula']}）。",
                    "is_announced": False,
                }
            )
    return sorted(found, key=lambda change: (change["metric"], change["changed_on"], change["version"]))
