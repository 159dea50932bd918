"""Local accounts: who may sign in, with what role and rights, and how often somebody has failed to.

Belongs here: the files of accounts, failures, the secret and the audit below a home, each readable by its owner alone.
Does not belong here: requests and pages (auth).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dashboards.data.rights import ROLES, Viewer

USERS = "users.json"
KEY = "session.key"
FAILURES = "sign_in_failures.json"
AUDIT = "audit.jsonl"
KEY_VARIABLE = "CSATLAS_SESSION_SECRET"
SHORTEST_PASSWORD = 12
SHORTEST_SECRET = 32
MOST_FAILURES = 5
MOST_FAILURES_OF_ADDRESS = 30
LOCKED_SECONDS = 15 * 60
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class AccountError(ValueError):
    """An account, a password or a file of accounts that cannot be used; the message says why and what is accepted."""


@dataclass(frozen=True)
class Account:
    """One account.

    Attributes:
        units: organisation units that may be seen, with all below them; None = all.
        personal: whether keys and histories of customers may be seen.
        password: argon2id, in its own encoded form.
    """

    name: str
    role: str
    units: tuple[str, ...] | None
    personal: bool
    password: str

    @property
    def viewer(self) -> Viewer:
        units = None if self.units is None else frozenset(self.units)
        return Viewer(self.name, self.role, units, self.personal)


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys_password() -> str:
    return _hasher().hash(secrets.token_hex(16))


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; from its first byte only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone among all processes with a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def checked_name(name: str) -> str:
    """A name that an account may have.

    Raises:
        AccountError: it has other characters, or is too long.
    """
    if not _NAME.fullmatch(name):
        raise AccountError(f"{name!r} is no name for an account; use up to 64 letters, digits and . _ @ -.")
    return name


def hashed(password: str) -> str:
    """A password as it is kept.

    Raises:
        AccountError: it is too short.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise AccountError(f"The password is too short; give {SHORTEST_PASSWORD} characters or more.")
    return _hasher().hash(password)


class Accounts:
    """The accounts of a home."""

    def __init__(self, home: Path) -> None:
        self.path = home / USERS
        self._failures = home / FAILURES
        self._read: tuple[tuple[int, int, int], dict[str, Account]] | None = None

    def all(self) -> Mapping[str, Account]:
        """Accounts by name; read anew when the file has changed.

        Raises:
            AccountError: the file cannot be understood, or others can read or write it.
        """
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return {}
        if facts.st_mode & 0o077:
            raise AccountError(f"{self.path} can be read by others; run: chmod 600 {self.path}")
        state = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
        if self._read is None or self._read[0] != state:
            try:
                rows = json.loads(self.path.read_text(encoding="utf-8"))["users"]
                found = {
                    row["name"]: Account(
                        row["name"], row["role"], None if row["units"] is None else tuple(row["units"]), bool(row["personal"]),
                        row["password"],
                    )
                    for row in rows
                }  # fmt: skip
            except (ValueError, KeyError, TypeError) as error:
                raise AccountError(f"{self.path} is damaged ({error}); mend it or add the users anew.") from None
            if any(account.role not in ROLES for account in found.values()):
                raise AccountError(f"{self.path} has a role other than {', '.join(ROLES)}.")
            self._read = (state, found)
        return self._read[1]

    def exist(self) -> bool:
        """Whether there is a file of accounts. One without an account lets nobody in; only a missing one means "no users"."""
        return self.path.exists()

    def _write(self, accounts: Mapping[str, Account]) -> None:
        rows = [asdict(account) for _, account in sorted(accounts.items())]
        write_private(self.path, json.dumps({"users": rows}, ensure_ascii=False, indent=2) + "\n")

    def add(self, name: str, password: str, *, role: str, units: tuple[str, ...] | None, personal: bool) -> Account:
        """A new account.

        Raises:
            AccountError: there is one of that name, or something about it is not accepted.
        """
        if role not in ROLES:
            raise AccountError(f"There is no role {role!r}; use one of {', '.join(ROLES)}.")
        account = Account(checked_name(name), role, units, personal, hashed(password))
        with _locked(self.path):
            known = self.all()
            if name in known:
                raise AccountError(f"There is a user {name} already.")
            self._write({**known, name: account})
        return account

    def remove(self, name: str) -> None:
        """Take an account away; its sessions end.

        Raises:
            AccountError: there is none of that name.
        """
        with _locked(self.path):
            known = dict(self.all())
            if known.pop(name, None) is None:
                raise AccountError(f"There is no user {name}.")
            self._write(known)

    def set_password(self, name: str, password: str) -> None:
        """Another password; sessions with the old one end, and so does a lock.

        Raises:
            AccountError: there is no such account, or the password is too short.
        """
        kept = hashed(password)
        with _locked(self.path):
            known = dict(self.all())
            if name not in known:
                raise AccountError(f"There is no user {name}.")
            known[name] = replace(known[name], password=kept)
            self._write(known)
        self._forget(f"user {name}")

    def verified(self, name: str, password: str, address: str, now: float) -> Account | None:
        """The account, if the password is right and it is not locked.

        An unknown name costs as much time and counts as much as a wrong password, so that neither tells which names there are. While an account is
        locked the right password does not open it either.

        Args:
            address: where it came from; many failures from one address lock the address.
            now: seconds since 1970.

        Raises:
            AccountError: the account or the address is locked.
        """
        name = name[:64]
        keys = {f"user {name}": MOST_FAILURES, f"address {address}": MOST_FAILURES_OF_ADDRESS}
        # A try is counted before it is judged: who tries many passwords at once gets no more of them than one after the other.
        with _locked(self._failures):
            recent = self._recent(now)
            if any(len(recent.get(key, [])) >= most for key, most in keys.items()):
                raise AccountError("locked")
            for key in keys:
                recent.setdefault(key, []).append(now)
            write_private(self._failures, json.dumps(recent))
        account = self.all().get(name)
        try:
            is_right = bool(_hasher().verify(account.password if account else _nobodys_password(), password[:1024]))
        except (VerificationError, InvalidHashError):
            is_right = False
        if account is None or not is_right:
            return None
        self._forget(f"user {name}", f"address {address}", only=now)
        self._forget(f"user {name}")
        return account

    def _recent(self, now: float) -> dict[str, list[float]]:
        try:
            known = json.loads(self._failures.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            known = {}
        kept = {key: [at for at in times if now - at < LOCKED_SECONDS] for key, times in known.items()}
        return {key: times for key, times in kept.items() if times}

    def _forget(self, *keys: str, only: float | None = None) -> None:
        with _locked(self._failures):
            try:
                known = json.loads(self._failures.read_text(encoding="utf-8"))
            except (FileNotFoundError, ValueError):
                return
            for key in keys:
                known[key] = [at for at in known.get(key, []) if only is not None and at != only]
            write_private(self._failures, json.dumps({key: times for key, times in known.items() if times}))


def session_secret(home: Path, given: str = "") -> bytes:
    """What sessions are signed with: what is given (`CSATLAS_SESSION_SECRET`), else a random key in a file of the home.

    Raises:
        AccountError: the variable is too short, or others can read the file.
    """
    if given:
        if len(given) < SHORTEST_SECRET:
            raise AccountError(f"{KEY_VARIABLE} is too short; give {SHORTEST_SECRET} characters or more.")
        return given.encode()
    path = home / KEY
    with _locked(path):
        if not path.exists():
            write_private(path, secrets.token_hex(32))
    if path.stat().st_mode & 0o077:
        raise AccountError(f"{path} can be read by others; delete it, and a new one is made.")
    return path.read_bytes()


def note(home: Path, event: str, **facts: Any) -> None:
    """Add a line to the audit log of a home: when (UTC), what, and its facts."""
    line = json.dumps(
        {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts},
        ensure_ascii=False,
        default=str,
    )
    descriptor = os.open(home / AUDIT, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        os.write(
            descriptor, f"{line}\n".encode()
        )  # one write to a file opened for appending: lines of several processes do not mix
    finally:
        os.close(descriptor)
