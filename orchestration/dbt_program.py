"""dbt, started by csatlas: the same program, but it ends when the process that started it ends.

A refresh that is killed must not leave a dbt behind that goes on writing to the warehouse without the home's lock.
Run as `python -m orchestration.dbt_program <pid of the parent> <dbt arguments>`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _end_with(parent: int) -> None:
    """Ask the kernel for SIGKILL at the parent's death (Linux; elsewhere dbt ends at its next line of output, its pipe being closed)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        raise SystemExit(f"csatlas (process {parent}) is gone; dbt does not start without it.")


def main() -> None:
    """Run dbt with the arguments after the parent's process id."""
    _end_with(int(sys.argv[1]))
    from dbt.cli.main import cli

    sys.argv[:2] = ["dbt"]
    cli()


if __name__ == "__main__":
    main()
