"""One writer a home, across processes: a lock that the operating system gives back when its holder dies.

Belongs here: the run lock. Does not belong here: DuckDB's own file locks, which end a second writer without saying who the first is.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from orchestration.settings import Settings


class HomeLocked(RuntimeError):
    """Another process works on this home; the message names it."""


def holder(settings: Settings) -> str | None:
    """Who holds the lock, in words, or None when nobody does."""
    if not settings.lock_path.exists():
        return None
    with settings.lock_path.open("r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _described(stream.read())
        fcntl.flock(stream, fcntl.LOCK_UN)
    return None


def _described(text: str) -> str:
    try:
        facts = json.loads(text)
        return f"{facts['purpose']}, process {facts['pid']} on {facts['host']}, since {facts['since']} UTC"
    except (json.JSONDecodeError, KeyError, TypeError):
        return "a process that has not said its name yet"


@contextmanager
def home_lock(settings: Settings, purpose: str) -> Iterator[None]:
    """Hold the home's run lock.

    Raises:
        HomeLocked: somebody else holds it.
    """
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(settings.lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeLocked(
                f"{settings.home} is in use: {_described(stream.read())}. Wait for it, or stop that process;"
                " the lock frees itself when it ends."
            ) from None
        stream.truncate(0)
        stream.write(
            json.dumps(
                {
                    "purpose": purpose,
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
                }
            )
        )
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)
            fcntl.flock(stream, fcntl.LOCK_UN)
