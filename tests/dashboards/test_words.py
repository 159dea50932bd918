"""Every word of the screens exists in both languages, and every word a page asks for exists."""

from __future__ import annotations

import ast
import string
from functools import cache

import pytest
import yaml

from orchestration.settings import PROJECT_ROOT

DASHBOARDS = PROJECT_ROOT / "dashboards"


@cache
def flat(language: str) -> dict[str, str]:
    def walk(tree: object, path: str) -> dict[str, str]:
        if isinstance(tree, dict):
            return {
                key: value
                for name, child in tree.items()
                for key, value in walk(child, f"{path}.{name}" if path else str(name)).items()
            }
        return {path: str(tree)}

    return walk(
        yaml.load((DASHBOARDS / "i18n" / f"{language}.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader), ""
    )


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_words() -> None:
    assert flat("en").keys() == flat("zh").keys()


@pytest.mark.parametrize("key", sorted(flat("en")))
def test_a_text_takes_the_same_values_in_both_languages(key: str) -> None:
    assert places(flat("en")[key]) == places(flat("zh")[key])


def test_chinese_texts_are_chinese() -> None:
    same = {
        key for key, text in flat("zh").items() if text == flat("en")[key] and any(letter.isalpha() for letter in text)
    }
    symbols = {"kpi.n", "trend.n", "app.document_title"}  # "n" and the product's name are the same in both languages
    assert {key for key in same - symbols if not key.startswith(("app.name", "language.", "unit."))} == set()


def test_every_text_that_the_code_asks_for_exists() -> None:
    known = set(flat("en"))
    missing = []
    for path in DASHBOARDS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            asks = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "t" and node.args
            if not asks or not isinstance(node, ast.Call):
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value not in known:
                missing.append(f"{path.name}:{node.lineno} {first.value}")
            if isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
                start = str(first.values[0].value)
                if not any(key.startswith(start) for key in known):
                    missing.append(f"{path.name}:{node.lineno} {start}…")
    assert missing == []
