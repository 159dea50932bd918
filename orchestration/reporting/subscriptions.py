"""`report_subscriptions.yml` of a home: who gets which report, in what language, about which unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import yaml

from dashboards.i18n import LANGUAGES
from dashboards.reports.packs import PACKS
from orchestration.settings import Settings

FILE = "report_subscriptions.yml"
FORMATS = ("both", "pdf", "html")
MOST_WAIT_DAYS = 31
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ADDRESS = re.compile(r"[^@\s,;<>()\"]{1,64}@[^@\s,;<>()\"]{1,255}")


class SubscriptionError(ValueError):
    """The file of subscriptions cannot be used; the message names the entry and says what is accepted."""


@dataclass(frozen=True)
class Subscription:
    """One report for one address.

    Attributes:
        name: what its deliveries are recorded under.
        account: user whose rights it is made with.
        every: week, month or quarter.
        wait_days: whole days that the data must reach beyond the end of the period.
    """

    name: str
    account: str
    to: str
    pack: str
    every: str
    unit: str | None = None
    language: str = "en"
    format: str = "both"
    wait_days: int = 0


def subscriptions_path(settings: Settings) -> Path:
    return settings.home / FILE


def load_subscriptions(path: Path) -> list[Subscription]:
    """All subscriptions; none where there is no file.

    Raises:
        SubscriptionError: the file or one of its entries cannot be used.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        raise SubscriptionError(
            f"{path}{f', line {where.line + 1}' if where else ''}: this is not YAML in UTF-8."
        ) from None
    if content is None:
        return []
    entries = content.get("subscriptions") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise SubscriptionError(f"{path}: write a list under `subscriptions:`.")
    found: list[Subscription] = []
    for number, entry in enumerate(entries, 1):
        one = _subscription(entry, f"{path}, entry {number}")
        if any(one.name == other.name for other in found):
            raise SubscriptionError(f"{path}, entry {number}: the name {one.name!r} stands twice.")
        found.append(one)
    return found


def _subscription(entry: Any, where: str) -> Subscription:
    if not isinstance(entry, Mapping):
        raise SubscriptionError(f"{where}: write name, account, to, pack and so on, one a line.")
    known = ("name", "account", "to", "pack", "every", "unit", "language", "format", "wait_days")
    for key in entry:
        if key not in known:
            raise SubscriptionError(f"{where}: there is no {key!r}; use {', '.join(known)}.")
    for key in ("name", "account", "to", "pack"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise SubscriptionError(f"{where}: {key} is missing.")
    if not _NAME.fullmatch(entry["name"]):
        raise SubscriptionError(f"{where}: {entry['name']!r} is no name; use letters, digits and _ . -.")
    if not _ADDRESS.fullmatch(entry["to"]) or parseaddr(entry["to"])[1] != entry["to"]:
        raise SubscriptionError(f"{where}: {entry['to']!r} is not one e-mail address.")
    pack = PACKS.get(entry["pack"])
    if pack is None:
        raise SubscriptionError(f"{where}: there is no report {entry['pack']!r}; use {', '.join(PACKS)}.")
    values = {
        "every": (entry.get("every", pack.kinds[0]), pack.kinds),
        "language": (entry.get("language", LANGUAGES[0]), LANGUAGES),
        "format": (entry.get("format", FORMATS[0]), FORMATS),
    }
    for key, (value, accepted) in values.items():
        if value not in accepted:
            raise SubscriptionError(f"{where}: {key} is {value!r}; use {' or '.join(accepted)}.")
    unit = entry.get("unit")
    if unit is not None and (not isinstance(unit, str) or not unit.strip()):
        raise SubscriptionError(f"{where}: unit is {unit!r}; write the id of one unit.")
    wait = entry.get("wait_days", 0)
    if isinstance(wait, bool) or not isinstance(wait, int) or not 0 <= wait <= MOST_WAIT_DAYS:
        raise SubscriptionError(f"{where}: wait_days is {wait!r}; write a whole number from 0 to {MOST_WAIT_DAYS}.")
    return Subscription(
        entry["name"], entry["account"], entry["to"], entry["pack"], values["every"][0], unit, values["language"][0], values["format"][0], wait
    )  # fmt: skip
