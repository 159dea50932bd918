"""docs/your-own-data.md is followed to the letter: its files are written, loaded and built, and its table of fates comes out."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest

from orchestration import warehouse
from orchestration.settings import PROJECT_ROOT, Settings
from orchestration.sources.declarations import load_declarations
from orchestration.sources.files import load_inbox

PAGE = PROJECT_ROOT / "docs" / "your-own-data.md"


def files_of_the_page() -> dict[str, str]:
    """Path -> content of every block that the page calls a file."""
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", text, flags=re.DOTALL))


def promised_fates() -> dict[str, tuple[str, str]]:
    """Case -> (fate, code in the column "why") of the page's table."""
    rows = re.findall(r"^\| \d \| (\d+) \| (\w+) \|(.*)\|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {case: (fate, "".join(re.findall(r"`(\w+:\w+)`", why))) for case, fate, why in rows}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clone")
    shutil.copytree(PROJECT_ROOT / "dbt_project", root / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    shutil.copytree(PROJECT_ROOT / "seeds", root / "seeds")
    for name, content in files_of_the_page().items():
        path = root / ("home/" + name if name.startswith("inbox/") else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


def build(root: Path, *what: str) -> duckdb.DuckDBPyConnection:
    """Load the inbox and run dbt (`build` and its selection in `what`) with the page's source as the only one."""
    settings = Settings(home=root / "home")
    declarations = load_declarations(["helpline"], folder=root / "orchestration" / "sources")
    report = load_inbox(settings, declarations, "load-1")
    assert {result.status for result in report.files} <= {"loaded", "skipped"}
    done = subprocess.run(
        [
            str(warehouse.DBT_EXECUTABLE), *what,
            "--project-dir", str(root / "dbt_project"), "--profiles-dir", str(root / "dbt_project"),
            "--target-path", str(root / "target"), "--log-path", str(root / "target"), "--full-refresh",
            "--vars", json.dumps({"sources": {"helpline": list(declarations["helpline"].feeds)}}),
        ],
        env=warehouse.dbt_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return duckdb.connect(str(settings.warehouse_path), read_only=True)


def test_the_page_keeps_its_promises(project: Path) -> None:
    promised = promised_fates()
    assert len(promised) == 5
    with build(project, "build") as connection:
        found = connection.execute(
            "select ticket_id, _status, array_to_string(list_concat(_reasons, _flags), ''), created_at, description from intermediate.int_tickets order by 1"
        ).fetchall()
        identifiers = connection.execute(
            "select customer_id, identifier_value from intermediate.int_customer_identifiers order by 1"
        ).fetchall()
    assert {row[0]: (row[1], row[2]) for row in found} == promised
    assert str(found[0][3]) == "2026-01-02 01:15:00", "09:15 in Shanghai is 01:15 UTC"
    assert found[0][4] == "Line dead; router replaced"
    assert identifiers == [("1001", "(025) 8401 2345"), ("1002", "138 0013 8000")]

    model = project / "dbt_project" / "models" / "staging" / "helpline" / "stg_helpline__tickets.sql"
    text = model.read_text(encoding="utf-8")
    assert "'salute': 'enquiry'" in PAGE.read_text(encoding="utf-8")
    model.write_text(text.replace("{'fault': 'repair',", "{'salute': 'enquiry', 'fault': 'repair',"), encoding="utf-8")
    with build(project, "run", "--select", "+int_tickets") as connection:
        mended = connection.execute(
            "select ticket_kind, len(_flags) from intermediate.int_tickets where ticket_id = '1005'"
        ).fetchone()
    assert mended == ("enquiry", 0)
