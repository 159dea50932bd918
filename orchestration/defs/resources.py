"""What the assets share: the settings, and the lock that a run holds from its first step to its last."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import dagster as dg

from orchestration.locking import home_lock
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import cool_down, warm_up


class RefreshConfig(dg.Config):
    """Options of one run. `full`: take nothing over from the run before, neither in the warehouse nor in the snapshot."""

    full: bool = False


@contextmanager
def event_log_kept_open(instance: dg.DagsterInstance | None, run_id: str | None = None) -> Iterator[None]:
    """Keep the files of Dagster's event log open for the length of a run; without its id those that all runs share.

    Dagster opens them anew for every event, and SQLite writes its log back to the disk, and waits for it, whenever the last
    connection closes: of some thousand events each cost a tenth of a second on a slow disk.
    """
    with ExitStack() as stack:
        history = Path(instance.root_directory if instance else "") / "history"
        for path in (history / "runs.db", history / "runs" / "index.db", history / "runs" / f"{run_id}.db"):
            if path.exists():
                connection = stack.enter_context(closing(sqlite3.connect(path, check_same_thread=False)))
                connection.execute("select count(*) from sqlite_master").fetchall()
        yield


class Home(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The home a run works on. Opening the resource takes the home's lock and starts the dbt of the build, closing it gives back both."""

    @property
    def settings(self) -> Settings:
        return load_settings()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Home]:
        settings = self.settings
        try:
            with (
                home_lock(settings, f"refresh {context.run_id or ''}".strip()),
                event_log_kept_open(context.instance, context.run_id),
            ):
                warm_up(settings)
                yield self
        finally:
            cool_down(settings)
