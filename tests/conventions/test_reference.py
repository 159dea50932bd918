"""Written pages equal what they are written from, and say every part of it."""

from __future__ import annotations

import pytest

from orchestration.contracts import load_contracts
from orchestration.reference import DOCS, PAGES


@pytest.mark.parametrize("name", list(PAGES))
def test_written_pages_are_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), f"docs/{name} is out of date: run `make docs`"


def test_feeds_page_names_every_column_value_and_rule() -> None:
    page = (DOCS / "feeds.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0]: part for part in page.split("\n## ")[1:]}
    feeds = load_contracts()
    assert list(sections) == list(feeds)
    for feed in feeds.values():
        for column in feed.columns:
            row = next(line for line in sections[feed.name].splitlines() if line.startswith(f"| `{column.name}` |"))
            assert column.data_type in row
            assert not column.required or "required" in row
            assert all(f"`{value}`" in row for value in column.values)
        assert all(f"`rule:{rule.name}`" in sections[feed.name] for rule in feed.rules)
