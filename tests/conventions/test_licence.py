"""The licence is there in full, not by its name alone."""

from __future__ import annotations

import hashlib
import re
import tomllib

from orchestration.settings import PROJECT_ROOT

APACHE_2_0 = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"


def test_the_licence_is_the_whole_text() -> None:
    text = (PROJECT_ROOT / "LICENSE").read_text(encoding="utf-8")
    # Line breaks and indentation differ between copies of the text, words do not.
    assert hashlib.sha256(" ".join(text.split()).encode()).hexdigest() == APACHE_2_0
    assert re.findall(r"^\s+(\d)\. [A-Z]", text, re.MULTILINE) == [str(number) for number in range(1, 10)]


def test_the_package_names_the_licence_it_has() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (project["license"], project["license-files"]) == ("Apache-2.0", ["LICENSE"])
