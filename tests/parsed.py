"""What dbt read of the project for one home, lent to the next: reading it whole takes a dozen seconds a home.

dbt reads a file again when its text has changed, and everything when the variables, the settings or the profile have; the profile of
another home differs by its paths alone, which are put right here.
"""

from __future__ import annotations

import os
import pprint
import shutil
from argparse import Namespace
from typing import Any

import msgpack

from orchestration.settings import Settings
from orchestration.warehouse import dbt_environment, dbt_flags

_NAME = "partial_parse.msgpack"
IGNORED = shutil.ignore_patterns(_NAME)
"""For copies of a home: what dbt has read speaks of the place it was read at."""
_read: dict[str, bytes] = {}


def keep(settings: Settings) -> None:
    """Remember what dbt has read for this home, unless something like it is known."""
    found = settings.dbt_target / _NAME
    if found.exists():
        _read.setdefault(_key(settings), found.read_bytes())


def lend(settings: Settings) -> None:
    """Give a home that dbt has not read for yet what it read for another one with the same settings and variables."""
    known, target = _read.get(_key(settings)), settings.dbt_target / _NAME
    if known is None or target.exists():
        return
    state: dict[str, Any] = msgpack.unpackb(known, strict_map_key=False)
    state["state_check"]["profile_hash"]["checksum"] = _profile_checksum(settings)
    here = str(settings.dbt_project_dir)
    for file in state["files"].values():
        if file["project_name"] == "csatlas":
            file["path"]["project_root"] = here
    for node in state["nodes"].values():
        if node["resource_type"] == "seed":
            node["root_path"] = here
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(msgpack.packb(state))


def _key(settings: Settings) -> str:
    project = (settings.dbt_project_dir / "dbt_project.yml").read_text(encoding="utf-8")
    return f"{dbt_flags(settings)[-1]}\n{project}"


def _profile_checksum(settings: Settings) -> str:
    """As in `dbt.parser.manifest.ManifestLoader.build_manifest_state_check`."""
    from dbt.artifacts.resources import FileHash
    from dbt.config.profile import Profile, read_profile
    from dbt.config.renderer import ProfileRenderer
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context

    set_invocation_context(dbt_environment(settings, os.environ))
    set_from_args(Namespace(), None)
    raw = read_profile(str(settings.dbt_project_dir))["csatlas"]
    profile = Profile.from_raw_profile_info(raw, "csatlas", ProfileRenderer({}))
    shown = sorted(profile.credentials.connection_info())
    return str(FileHash.from_contents(pprint.pformat(shown)).checksum)
