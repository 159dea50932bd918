"""Pages of docs/ that are written from the program itself, so that they cannot be out of date.

Belongs here: one function a page, from what defines the thing to Markdown. `python -m orchestration.reference` (`make docs`) writes
them; a test fails while a page differs. Does not belong here: prose that a person writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from orchestration.contracts import Feed, FeedColumn, load_contracts
from orchestration.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
_GENERATED = "<!-- Written by `make docs` from the program; edit what it is written from. -->"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _rules_of(column: FeedColumn) -> str:
    found = ["required"] if column.required else []
    if column.values:
        otherwise = "quarantined" if column.unknown == "quarantine" else "flagged and read as `unknown`"
        found.append(f"one of {', '.join(f'`{value}`' for value in column.values)}; another is {otherwise}")
    if column.minimum is not None:
        found.append(f"at least {column.minimum}")
    if column.maximum is not None:
        found.append(f"at most {column.maximum}")
    return "; ".join(found)


def _feed_section(feed: Feed, sources: Sequence[str]) -> list[str]:
    lines = [f"## {feed.name}", "", feed.grain, ""]
    lines.append(f"- Key: {', '.join(f'`{column}`' for column in feed.key)} (within a source)")
    lines.append(f"- Event time: `{feed.event_time}`" if feed.event_time else "- Event time: none")
    lines.append(f"- Supplied by: {', '.join(sources) if sources else 'no enabled source'}")
    lines += [f"- Quarantined as `rule:{rule.name}` when `{rule.quarantine_when}`" for rule in feed.rules]
    lines += ["", "| column | type | rules | meaning |", "|---|---|---|---|"]
    for column in feed.columns:
        lines.append(
            f"| `{column.name}` | {column.data_type} | {_cell(_rules_of(column))} | {_cell(column.description)} |"
        )
    return [*lines, ""]


def feeds_page(feeds: Mapping[str, Feed], sources: Mapping[str, Sequence[str]]) -> str:
    """docs/feeds.md: one table per feed, and which sources supply it."""
    lines = [
        "# Feeds",
        "",
        _GENERATED,
        "",
        "A feed is what csatlas understands; a source is what your systems send. A staging model `stg_<source>__<feed>.sql` maps one to",
        "the other. It selects the columns it can fill; those it leaves out are null. The contract below is applied to every row:",
        "a value that cannot be read as its type gives the reason `<column>:invalid`, a missing required one `<column>:missing`, a code that",
        "is not accepted `<column>:unknown_value`, a number out of bounds `<column>:below_minimum` or `:above_maximum`, an event time later",
        "than a day after loading `<column>:in_future`, one before 1970 `<column>:before_1970`. A row with a reason is quarantined: visible",
        "with its source, key, reasons and content, and in no number. A row with a flag is used. Mend the rule or the mapping, and the rows",
        "come back by themselves with the next refresh.",
        "",
        "Beside the feed's columns a staging model may select `_version` (`version_column`: of two rows of one key the newer counts),",
        "`_is_deleted` (the source says that the row is gone) and `_sub_record` (0, 1, 2 … when one raw row becomes several).",
        "",
        "| feed | " + "grain | supplied by |",
        "|---|---|---|",
    ]
    suppliers = {name: [source for source, supplied in sources.items() if name in supplied] for name in feeds}
    for feed in feeds.values():
        lines.append(
            f"| [{feed.name}](#{feed.name}) | {_cell(feed.grain)} | {', '.join(suppliers[feed.name]) or '-'} |"
        )
    lines.append("")
    for feed in feeds.values():
        lines += _feed_section(feed, suppliers[feed.name])
    return "\n".join(lines).rstrip() + "\n"


def _feeds() -> str:
    project = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text(encoding="utf-8"))
    return feeds_page(load_contracts(), project["vars"]["sources"])


def metrics_page(project_dir: Path) -> str:
    """All metrics of the semantic YAML beside the marts, one table a mart."""
    lines = [
        _GENERATED,
        "",
        "# Metrics",
        "",
        "Defined beside the marts; [how they are computed and served](metrics-and-snapshot.md).",
        "",
    ]
    for path in sorted((project_dir / "models" / "marts").rglob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        metrics = [metric for metric in content.get("metrics", []) if "label_zh" in metric["config"]["meta"]]
        if not metrics:
            continue
        lines += [
            f"## {path.stem}",
            "",
            "| metric | label | 名称 | formula | unit | family | meaning |",
            "|---|---|---|---|---|---|---|",
        ]
        for metric in sorted(metrics, key=lambda entry: str(entry["name"])):
            meta = metric["config"]["meta"]
            cells = [
                f"`{metric['name']}`",
                metric["label"],
                meta["label_zh"],
                meta["formula"],
                meta["unit"],
                meta["family"],
                metric["description"],
            ]
            lines.append(f"| {' | '.join(_cell(str(cell)) for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def _metrics() -> str:
    return metrics_page(PROJECT_ROOT / "dbt_project")


PAGES: dict[str, Callable[[], str]] = {"feeds.md": _feeds, "metrics.md": _metrics}


def write_pages(folder: Path = DOCS) -> list[Path]:
    """Write the pages whose content changed; returns them."""
    written = []
    for name, page in PAGES.items():
        path, text = folder / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


if __name__ == "__main__":
    for changed in write_pages():
        print(f"written: {changed.relative_to(PROJECT_ROOT)}")
