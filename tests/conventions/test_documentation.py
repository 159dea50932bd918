"""Documentation is tested: what a user can name, the docs name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from orchestration.cli import app
from orchestration.settings import PROJECT_ROOT, variable_names
from orchestration.sources.declarations import COLUMN_OPTIONS, SOURCE_OPTIONS, TABLE_OPTIONS, load_declarations
from orchestration.warehouse import enabled_sources

DOCS = PROJECT_ROOT / "docs"


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [PROJECT_ROOT / name for name in listed.stdout.splitlines()]


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def commands() -> dict[str, list[str]]:
    """Every command with its options, as typer knows them."""
    found: dict[str, list[str]] = {}

    def walk(command: object, name: str) -> None:
        children = getattr(command, "commands", None)
        if children:
            for child, entry in children.items():
                walk(entry, f"{name} {child}".strip())
            return
        found[name] = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]  # type: ignore[attr-defined]

    walk(typer.main.get_command(app), "")
    return found


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_and_option_is_documented(command: str) -> None:
    page = text("commands.md")
    assert f"csatlas {command}" in page
    section = page[page.index(f"csatlas {command}") :].split("\n## ")[0]
    missing = [option for option in commands()[command] if option != "--help" and option not in section]
    assert missing == []


@pytest.mark.parametrize("name", variable_names())
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in text("settings.md")


@pytest.mark.parametrize("option", sorted({**SOURCE_OPTIONS, **TABLE_OPTIONS, **COLUMN_OPTIONS}))
def test_every_source_option_is_documented(option: str) -> None:
    assert f"| `{option}` |" in text("sources.md")


def test_every_feed_is_documented() -> None:
    contracts = (PROJECT_ROOT / "dbt_project" / "models" / "intermediate" / "feeds").glob("int_*__received.yml")
    feeds = [path.stem.removeprefix("int_").removesuffix("__received") for path in contracts]
    assert len(feeds) == 22
    assert [feed for feed in feeds if f"## {feed}" not in text("feeds.md")] == []


def test_every_page_of_the_dashboards_is_documented() -> None:
    words = yaml.safe_load((PROJECT_ROOT / "dashboards" / "i18n" / "en.yml").read_text(encoding="utf-8"))
    names = [page["name"] for page in words["page"].values()]
    assert names
    assert [name for name in names if f"## {name}" not in text("dashboards.md")] == []


def test_the_switch_and_the_declarations_agree() -> None:
    from orchestration.settings import Settings

    enabled = enabled_sources(Settings(home=PROJECT_ROOT / "var"))
    declared = load_declarations(enabled)
    assert {name: sorted(feeds) for name, feeds in enabled.items()} == {
        name: sorted(found.feeds) for name, found in declared.items()
    }


def test_the_readme_names_real_targets_and_commands() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.M))
    pages = [PROJECT_ROOT / "README.md", PROJECT_ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]
    for page in pages:
        content = page.read_text(encoding="utf-8")
        named = {a or b for a, b in re.findall(r"`make ([a-z]+)`|^ {4}make ([a-z]+)", content, flags=re.M)}
        assert named <= targets, f"{page.name}: {named - targets}"
        used = {
            match
            for match in re.findall(r"csatlas ([a-z]+)", content)
            if match
            in {
                "demo",
                "refresh",
                "serve",
                "query",
                "metric",
                "status",
                "rollback",
                "doctor",
                "backup",
                "restore",
                "source",
                "dbt",
            }
        }
        assert used <= {name.split()[0] for name in commands()}
    helped = subprocess.run(["make", "help"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "refresh", "serve", "test", "check", "bench", "docs"):
        assert f"make {target}" in helped


def test_every_bench_that_the_docs_name_can_be_asked_for() -> None:
    """`python -m tests.bench` reads its options, and each name after it in the docs is one of its measurements."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--help"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*DOCS.rglob("*.md"), PROJECT_ROOT / "CHANGELOG.md"])
    named = set(re.findall(r"python -m tests\.bench ([a-z]+)", text))
    offered = set(
        re.findall(r"[a-z]+", " ".join(done.stdout.split("positional arguments:")[1].split("default:")[0].split()))
    )
    assert len(named) >= 10
    assert named <= offered
    for name in set(re.findall(r"python -m tests\.bench\.([a-z]+)", text)):
        module = PROJECT_ROOT / "tests" / "bench" / f"{name}.py"
        assert "__main__" in module.read_text(encoding="utf-8"), f"{module} cannot be run by itself"


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(PROJECT_ROOT)} -> {target}")
    assert broken == []


def test_no_error_is_swallowed() -> None:
    found = []
    for path in tracked("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (
                    isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
                )
                empty = all(
                    isinstance(line, ast.Pass) or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
                    for line in node.body
                )
                if broad and empty:
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(PROJECT_ROOT))
        for path in tracked("orchestration/*.py", "dashboards/*.py")
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert silent == []


def test_no_path_of_one_machine_stands_in_the_project() -> None:
    shape = re.compile(r"(?<![\w.])/(?:home|root|Users|work|tmp)/[A-Za-z0-9_]+/")
    found = []
    for path in tracked("*.py", "*.sql", "*.yml", "*.md", "*.toml", "Makefile", ".ci/*"):
        if path != Path(__file__):
            found += [
                f"{path.relative_to(PROJECT_ROOT)}: {match[0]}"
                for match in shape.finditer(path.read_text(encoding="utf-8"))
            ]
    assert found == []


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_definition_names_tests_that_exist() -> None:
    page = (PROJECT_ROOT / "docs" / "definitions-and-tests.md").read_text(encoding="utf-8")
    written = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert {name for name in named if f"def {name}(" not in written} == set()
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| rule ")]
    assert len(rows) >= 40
    assert [row for row in rows if "`test_" not in row.split(" | ")[-1]] == []


def test_every_kind_of_bad_input_names_tests_that_exist() -> None:
    page = (PROJECT_ROOT / "docs" / "bad-input.md").read_text(encoding="utf-8")
    written = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) >= 15
    assert {name for name in named if f"def {name}(" not in written} == set()
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| what ")]
    assert [row for row in rows if "test" not in row.split(" | ")[-1]] == []
