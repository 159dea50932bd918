"""What the assets share: the settings, and the lock that a run holds from its first step to its last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from orchestration.locking import home_lock
from orchestration.settings import Settings, load_settings
from orchestration.warehouse import cool_down, warm_up


class RefreshConfig(dg.Config):
    """Options of one run. `full`: take nothing over from the run before, neither in the warehouse nor in the snapshot."""

    full: bool = False


class Home(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The home a run works on. Opening the resource takes the home's lock and starts the dbt of the build, closing it gives back both."""

    @property
    def settings(self) -> Settings:
        return load_settings()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Home]:
        settings = self.settings
        try:
            with home_lock(settings, f"refresh {context.run_id or ''}".strip()):
                warm_up(settings)
                yield self
        finally:
            cool_down(settings)
