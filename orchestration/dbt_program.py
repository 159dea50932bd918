"""dbt, started by csatlas: the same program, but it ends when the process that started it ends.

A refresh that is killed must not leave a dbt behind that goes on writing to the warehouse without the home's lock.
Run as `python -m orchestration.dbt_program <pid of the parent> <dbt arguments>`, or with `--wait <arguments of dbt parse>`: then it
reads the project at once, and waits for one command as a line of JSON on its standard input: `{"arguments": […], "chosen": [names] or null for all, "results": "file"}`.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1
_CHOSEN = "csatlas_chosen"
_LIBRARIES_OF_MODELS = ("polars", "pyarrow", "scipy.special")


def _end_with(parent: int) -> None:
    """Ask the kernel for SIGKILL at the parent's death (Linux; elsewhere dbt ends at its next line of output, its pipe being closed)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        raise SystemExit(f"csatlas (process {parent}) is gone; dbt does not start without it.")


def _read_libraries() -> None:
    """Read the programs that Python models need, while files are loaded."""
    for name in _LIBRARIES_OF_MODELS:
        importlib.import_module(name)


def _wait_and_run(parse: list[str]) -> bool:
    """Read the project, then run the one command that comes. Returns whether it succeeded; True when none comes."""
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    parsed = dbtRunner().invoke(parse)
    # The project is some hundred thousand objects that stay: to look for garbage among them finds nothing, each time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    threading.Thread(target=_read_libraries, daemon=True).start()
    line = sys.stdin.readline()
    if not line:
        return True
    if not isinstance(parsed.result, Manifest):
        print(parsed.exception, flush=True)
        return False
    command = json.loads(line)
    arguments = command["arguments"]
    if command["chosen"] is not None:
        # One tag in place of some hundred names: dbt compares every name that it is given with every node that it has.
        chosen = frozenset(command["chosen"])
        for node in parsed.result.nodes.values():
            if node.name in chosen:
                node.tags.append(_CHOSEN)
        arguments = [*arguments, "--select", f"tag:{_CHOSEN}", "--indirect-selection", "empty"]
    done = dbtRunner(manifest=parsed.result).invoke(arguments)
    if isinstance(done.result, RunExecutionResult):
        done.result.write(command["results"])
    else:
        print(done.exception, flush=True)
    return bool(done.success)


def main() -> None:
    """Run dbt with the arguments after the parent's process id."""
    _end_with(int(sys.argv[1]))
    if sys.argv[2:3] == ["--wait"]:
        raise SystemExit(0 if _wait_and_run(sys.argv[3:]) else 1)
    from dbt.cli.main import cli

    sys.argv[:2] = ["dbt"]
    cli()


if __name__ == "__main__":
    main()
