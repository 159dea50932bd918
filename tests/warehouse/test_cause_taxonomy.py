"""A taxonomy that cannot be used is refused in words, by the build and by the command that adds to it; a good one is added to as a whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration.operations import cause_taxonomy
from orchestration.operations.cause_taxonomy import TaxonomyError
from orchestration.settings import PROJECT_ROOT
from tests.warehouse.shop_project import ShopProject, make_shop_project

REAL = PROJECT_ROOT / "seeds" / "cause_taxonomy.csv"
US = "us,,us,false,,,Us,我方,,,true"
BROKEN = [
    (["a,b,us,false,,,A,甲,,,true", "b,a,us,false,,,B,乙,,,true"], "a: its parents lead in a circle."),
    (["a,,nobody,false,,,A,甲,,,true"], "a: the owner nobody is none of us, partner, device, customer."),
    ([US, US], "us: it is there twice."),
    ([US, "us.x,us,us,false,system,r1,X,甲,,,true", "us.y,us,us,false,system,r1,Y,乙,,,true"], "us.y: resolution code r1 belongs to us.x too."),
    ([US, "us.x,them,us,false,system,,X,甲,,,true"], "us.x: its parent them is no code."),
    ([US, "us.x,us,us,false,mood,,X,甲,,,true"], "us.x: cause_type mood is none of value, system, employee."),
    ([US, "us.x,us,us,false,system,,X,,,,true"], "us.x: it has no name in one of the languages."),
    ([US, "Us X,us,us,false,system,,X,甲,,,true"], "Us X: a code has small letters, digits and underscores, in parts separated by dots."),
]  # fmt: skip


def _file(folder: Path, lines: list[str]) -> Path:
    path = folder / "cause_taxonomy.csv"
    path.write_text("\n".join([",".join(cause_taxonomy.COLUMNS), *lines]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("lines", "words"), BROKEN)
def test_a_broken_taxonomy_has_its_words(tmp_path: Path, lines: list[str], words: str) -> None:
    path = _file(tmp_path, lines)
    assert words in cause_taxonomy.problems(cause_taxonomy.read_taxonomy(path))
    before = path.read_bytes()
    with pytest.raises(TaxonomyError, match="has to be put right first"):
        cause_taxonomy.accept(path, code="us.new", parent="us", name_en="New", name_zh="新")
    assert path.read_bytes() == before


def test_the_delivered_taxonomy_is_right() -> None:
    lines = cause_taxonomy.read_taxonomy(REAL)
    assert cause_taxonomy.problems(lines) == [] and len(lines) > 20


def test_a_cause_is_added_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "cause_taxonomy.csv"
    shutil.copy(REAL, path)
    before = path.read_bytes()
    for wrong, words in [
        ({"parent": "nowhere"}, "is no code"),
        ({"code": "us.network.outage"}, "it is there twice"),
        ({"code": "Bad Code"}, "a code has small letters"),
        ({"name_zh": ""}, "no name in one of the languages"),
        ({"cause_type": "mood"}, "is none of value"),
        ({"resolution_codes": "r01"}, "belongs to us.billing.rating_error"),
    ]:
        asked = {
            "code": "us.app_release",
            "parent": "us",
            "name_en": "Faulty app release",
            "name_zh": "掌厅版本缺陷",
        } | wrong
        with pytest.raises(TaxonomyError, match=words):
            cause_taxonomy.accept(path, **asked)  # type: ignore[arg-type]
        assert path.read_bytes() == before
    made = cause_taxonomy.accept(
        path, code="device.app", parent="device", name_en='Old "app", again', name_zh="旧版", resolution_codes="r11"
    )
    assert made["owner"] == "device"
    assert path.read_bytes().startswith(before)
    assert (
        cause_taxonomy.read_taxonomy(path)[-1] == made
        and cause_taxonomy.problems(cause_taxonomy.read_taxonomy(path)) == []
    )
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ShopProject:
    project = make_shop_project(tmp_path_factory.mktemp("taxonomy"))
    project.load("load-1")
    return project


@pytest.mark.slow
@pytest.mark.parametrize(("lines", "words"), [*BROKEN[:4], ([US], "is no code of seeds/cause_taxonomy.csv.")])
def test_a_build_refuses_a_broken_taxonomy_in_words(project: ShopProject, lines: list[str], words: str) -> None:
    _file(project.root / "seeds", lines)
    (project.root / "dbt_project" / "models" / "probe.sql").write_text(
        "{%- set causes = cause_taxonomy() %}select {{ causes | length }} as causes", encoding="utf-8"
    )
    done = project.dbt(
        "build", "--select", "cause_taxonomy", "cause_facts", "cause_rules", "probe", "--indirect-selection", "cautious"
    )  # fmt: skip
    assert done.returncode != 0 and words in " ".join(done.stdout.split()), done.stdout[-2000:]
