"""The published snapshot: which file it is, and reading from it while new ones are published.

Belongs here: the link `current`, opening, reopening, `status.json`. Does not belong here: what is asked of a snapshot.

A snapshot is never changed after it was published, so a version is opened once and shared; every use takes a cursor of
its own. The link is read at each call: a new version is seen at once, and the file behind an old one may be deleted while
somebody still reads it.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import polars as pl

from dashboards.data.rights import EVERYTHING, MASK, MASKED_IN_ANSWERS, Viewer, view_sql

T = TypeVar("T")

CURRENT = "current"
PREFIX = "csatlas-"
STATUS = "status.json"
REMEMBERED_ANSWERS = 256
REMEMBERED_ROWS = 100_000
"""Rows of all remembered answers of a version together; an answer with more is given and not kept."""
REMEMBERED_ROWS_OF_VIEWER = 10_000
"""The same for a reader with rights of their own, of whom there may be many."""
REMEMBERED_VIEWERS = 32
_WHOLE = "whole"
"""Name of the whole snapshot behind the views of readers with rights of their own."""

_OPENING = threading.Lock()


class NoSnapshot(RuntimeError):
    """There is nothing to show; `was_published` tells whether there once was."""

    def __init__(self, message: str, *, was_published: bool = False) -> None:
        super().__init__(message)
        self.was_published = was_published


@dataclass
class Snapshot:
    """One published version, open for reading by one viewer.

    Attributes:
        viewer: whose rights it is read with.
        note: told of what an audit wants to know: what happened, and its facts.
    """

    version: str
    path: Path
    serving: Path
    _connection: duckdb.DuckDBPyConnection = field(repr=False)
    viewer: Viewer = EVERYTHING
    note: Callable[..., None] = field(default=lambda _event, **_facts: None, repr=False)
    _catalog: str | None = field(default=None, repr=False)
    _most_rows: int = field(default=REMEMBERED_ROWS, repr=False)
    _same: Snapshot | None = field(default=None, repr=False)
    _views: _Views | None = field(default=None, repr=False)
    _answers: OrderedDict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=OrderedDict, repr=False)
    _answered_rows: int = field(default=0, repr=False)
    _asked: dict[tuple[str, str], Future[list[dict[str, Any]]]] = field(default_factory=dict, repr=False)
    _made: dict[str, Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor of its own for one use in one thread."""
        cursor = self._connection.cursor()
        if self._catalog is not None:
            # Without this a cursor of the views finds no table at all, not the whole ones.
            cursor.execute(f"use {self._catalog}")
        return cursor

    def for_viewer(self, viewer: Viewer, note: Callable[..., None] | None = None) -> Snapshot:
        """This version as a viewer may see it: the same tables with the viewer's rows, and what is personal masked.

        Args:
            note: see `Snapshot.note`.
        """
        if viewer == self.viewer and note is None:
            return self
        if self._catalog is not None or self._same is not None:
            raise ValueError("A snapshot of a viewer cannot be widened or narrowed for another; ask the whole one.")
        with self._lock:
            if self._views is None:
                self._views = _Views(self)
        return self._views.of(viewer, note or self.note)

    def frame(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> pl.DataFrame:
        """Result of a query with bound parameters, by place (`?`) or by name (`$name`)."""
        cursor = self.cursor()
        try:
            found = cursor.execute(sql, dict(parameters) if isinstance(parameters, Mapping) else list(parameters)).pl()
        finally:
            cursor.close()
        masked = [] if self.viewer.may_see_personal else [name for name in MASKED_IN_ANSWERS if name in found.columns]
        return found.with_columns(pl.when(pl.col(name).is_not_null()).then(pl.lit(MASK)).alias(name) for name in masked)

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[dict[str, Any]]:
        """Result of a query as one dictionary a row."""
        return self.frame(sql, parameters).to_dicts()

    def remembered(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """As `rows`, for questions that read many rows. The answer is shared and not to be changed by who gets it.

        A version never changes, so its last answers are kept (`REMEMBERED_ANSWERS`, `REMEMBERED_ROWS`) and go with it. Who asks
        what another thread is asking at that moment waits for that answer. The parameters are part of the question, the
        units that a reader may see among them.
        """
        if self._same is not None:
            return self._same.remembered(sql, parameters)
        key = (sql, json.dumps(list(parameters), default=str))
        while True:
            with self._lock:
                if key in self._answers:
                    self._answers.move_to_end(key)
                    return self._answers[key]
                asked = self._asked.get(key)
                if asked is None:
                    mine = self._asked[key] = Future()
                    break
            try:
                return asked.result()
            except CancelledError:
                continue  # whoever was asking was stopped, which says nothing of the question
        try:
            found = self.rows(sql, parameters)
        except BaseException as error:
            with self._lock:
                del self._asked[key]
            if isinstance(error, Exception):
                mine.set_exception(error)
            else:
                mine.cancel()
            raise
        with self._lock:
            self._keep(key, found)
            del self._asked[key]
        mine.set_result(found)
        return found

    def _keep(self, key: tuple[str, str], found: list[dict[str, Any]]) -> None:
        """Remember an answer and forget the ones not asked for longest. The caller holds the lock."""
        most = min(REMEMBERED_ROWS, self._most_rows)
        if len(found) > most:
            return
        self._answers[key] = found
        self._answered_rows += len(found)
        while len(self._answers) > REMEMBERED_ANSWERS or self._answered_rows > most:
            _, forgotten = self._answers.popitem(last=False)
            self._answered_rows -= len(forgotten)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What follows from the version alone, made at its first use; not to be changed by who gets it."""
        if self._same is not None:
            return self._same.once(name, make)
        if name not in self._made:
            self._made[name] = make()
        found: T = self._made[name]
        return found

    def status(self) -> dict[str, Any]:
        """Outcome of the last refresh, which may be younger than this snapshot."""
        return read_status(self.serving)

    def close(self) -> None:
        """Give the file back."""
        if self._views is not None:
            self._views.close()
        self._connection.close()


class _Views:
    """One version through the views of readers with rights of their own.

    A database in memory holds, for each set of rights, a catalog of views under the names of the tables. The file behind them is attached under another name.
    """

    def __init__(self, whole: Snapshot) -> None:
        self._whole = whole
        settings = whole.cursor()
        row = settings.execute("select current_setting('threads'), current_setting('memory_limit')").fetchone()
        settings.close()
        config = {"threads": row[0], "memory_limit": row[1], "temp_directory": ""} if row else {}
        self._connection = duckdb.connect(":memory:", config=config)
        path = str(whole.path).replace("'", "''")
        self._connection.execute(f"attach '{path}' as {_WHOLE} (read_only)")
        self._connection.execute("set global timezone = 'UTC'")
        self._connection.execute("set enable_external_access = false")
        self._connection.execute("set lock_configuration = true")
        self._catalogs: dict[tuple[frozenset[str] | None, bool], str] = {}
        self._snapshots: OrderedDict[Viewer, Snapshot] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, viewer: Viewer, note: Callable[..., None]) -> Snapshot:
        with self._lock:
            found = self._snapshots.get(viewer)
            if found is None:
                whole = self._whole
                if viewer.sees_everything:
                    found = Snapshot(
                        whole.version, whole.path, whole.serving, whole._connection, viewer, note, _same=whole
                    )
                else:
                    found = Snapshot(
                        whole.version, whole.path, whole.serving, self._connection, viewer, note, self._catalog(viewer),
                        REMEMBERED_ROWS_OF_VIEWER,
                    )  # fmt: skip
                self._snapshots[viewer] = found
            self._snapshots.move_to_end(viewer)
            while len(self._snapshots) > REMEMBERED_VIEWERS:
                self._snapshots.popitem(last=False)
            return found

    def _catalog(self, viewer: Viewer) -> str:
        rights = (viewer.units, viewer.may_see_personal)
        if rights in self._catalogs:
            return self._catalogs[rights]
        units = self._whole.rows(
            "with recursive below as (select unnest(cast(? as varchar[])) as unit union select u.org_unit_id from main.dim_org_units as u"
            " inner join below on u.parent_unit_id = below.unit) select unit from below",
            [sorted(viewer.units or ())],
        )
        name = f"viewer_{len(self._catalogs) + 1}"
        cursor = self._connection.cursor()
        try:
            cursor.execute(f"attach ':memory:' as {name}")
            tables = cursor.execute(
                "select schema_name, table_name, list(column_name) from duckdb_columns() where database_name = ? group by all",
                [_WHOLE],
            ).fetchall()
            for schema in sorted({schema for schema, _, _ in tables}):
                cursor.execute(f'create schema if not exists {name}."{schema}"')
            for schema, table, columns in tables:
                seen = view_sql(
                    viewer, [row["unit"] for row in units], catalog=_WHOLE, schema=schema, table=table, columns=columns
                )
                cursor.execute(f'create view {name}."{schema}"."{table}" as {seen}')
        finally:
            cursor.close()
        self._catalogs[rights] = name
        return name

    def close(self) -> None:
        self._connection.close()


def read_status(serving: Path) -> dict[str, Any]:
    """Content of `status.json`, or an empty dictionary before the first refresh."""
    try:
        found = json.loads((serving / STATUS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


def published_path(serving: Path) -> Path:
    """File of the published snapshot; when that was deleted, the newest one that remains.

    Raises:
        NoSnapshot: nothing was published, or no file is left.
    """
    link = serving / CURRENT
    if link.is_symlink():
        target = serving / link.readlink().name
        if target.exists():
            return target
        left = sorted(serving.glob(f"{PREFIX}*.duckdb"))
        if left:
            return left[-1]
        raise NoSnapshot(
            f"The published snapshot {target.name} was deleted and no other is left in {serving}. Run `csatlas refresh`.",
            was_published=True,
        )
    raise NoSnapshot(f"Nothing is published in {serving} yet. Run `csatlas refresh`.")


def open_snapshot(path: Path, *, threads: int = 2, memory_limit: str = "2GB") -> Snapshot:
    """Open one snapshot file read-only, without access to files, network or settings.

    Raises:
        NoSnapshot: the file is not there.
    """
    if not path.exists():
        raise NoSnapshot(f"{path} does not exist.", was_published=True)
    connection = duckdb.connect(
        str(path),
        read_only=True,
        config={"threads": threads, "memory_limit": memory_limit, "enable_external_access": False},
    )
    with _OPENING:
        # Within a process DuckDB gives every connection to one file the same database, which may be set up already.
        row = connection.execute("select current_setting('lock_configuration')").fetchone()
        if row is not None and not row[0]:
            connection.execute("set global timezone = 'UTC'")  # a cursor has no setting of the session it came from
            connection.execute("set lock_configuration = true")
    return Snapshot(path.stem.removeprefix(PREFIX), path, path.parent, connection)


class SnapshotStore:
    """The published snapshot of a serving folder, for many threads."""

    def __init__(
        self,
        serving: Path,
        *,
        threads: int = 2,
        memory_limit: str = "2GB",
        viewer: Callable[[], Viewer] = lambda: EVERYTHING,
        note: Callable[..., None] | None = None,
    ) -> None:
        """
        Args:
            viewer: who asks at that moment; the one place that readers' rights come from.
            note: see `Snapshot.note`.
        """
        self.serving = serving
        self._viewer = viewer
        self._note = note
        self._threads = threads
        self._memory_limit = memory_limit
        self._lock = threading.Lock()
        self._open: Snapshot | None = None

    def current(self) -> Snapshot:
        """The snapshot to read now, as the reader of the moment may see it.

        Raises:
            NoSnapshot: nothing is published, or its file and all others are gone.
        """
        return self._current().for_viewer(self._viewer(), self._note)

    @property
    def viewer(self) -> Viewer:
        """Who asks at this moment."""
        return self._viewer()

    def _current(self) -> Snapshot:
        with self._lock:
            path = published_path(self.serving)
            while self._open is None or self._open.path != path:
                # An earlier version is not closed here: whoever still reads it holds it, and the last of them gives it back.
                try:
                    self._open = open_snapshot(path, threads=self._threads, memory_limit=self._memory_limit)
                except (NoSnapshot, duckdb.IOException):
                    # Between the look at the link and the opening, newer versions may have come and this one gone.
                    newer = published_path(self.serving)
                    if newer == path:
                        raise
                    path = newer
            return self._open

    def close(self) -> None:
        """Give all files back."""
        with self._lock:
            if self._open is not None:
                self._open.close()
            self._open = None
