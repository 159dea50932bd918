"""A report as PDF, printed by a Chromium of this machine without a window.

The page has no script and asks nobody for anything; Chromium gets a profile of its own that is deleted afterwards, and no network.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Programs looked for in PATH, in this order."""
SECONDS = 120


class NoPdf(RuntimeError):
    """A PDF could not be made; the message says why and what to do. The HTML is not concerned."""


def find_chromium(given: str | None = None) -> Path:
    """The Chromium to print with: the one that is named (a name in PATH or a path), else the first of `NAMES` in PATH.

    Raises:
        NoPdf: there is none.
    """
    for name in [given] if given else NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    if given:
        raise NoPdf(
            f"No PDF: {given} is not a program that can be run. Set CSATLAS_CHROMIUM to the path of a Chromium."
        )
    raise NoPdf(
        f"No PDF: no Chromium was found (looked for {', '.join(NAMES)}). Install one, or set CSATLAS_CHROMIUM to its path; the HTML prints from any browser."
    )


def write_pdf(html: Path, target: Path, *, chromium: str | None = None, seconds: float = SECONDS) -> None:
    """Print an HTML file to a PDF file.

    Args:
        chromium: program to use; default: the first found.
        seconds: how long it may take.

    Raises:
        NoPdf: no Chromium, it failed, or it took too long; no file is left behind then.
    """
    program = find_chromium(chromium)
    with tempfile.TemporaryDirectory(prefix="csatlas-pdf-") as folder:
        printed = Path(folder) / "report.pdf"
        command = [
            str(program), "--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--metrics-recording-only", "--proxy-server=127.0.0.1:9",
            f"--user-data-dir={folder}/profile", "--no-pdf-header-footer", f"--print-to-pdf={printed}", html.resolve().as_uri(),
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium has no sandbox for root; the page has no script
        output = _run(command, seconds, program)
        if not printed.exists() or printed.stat().st_size == 0:
            said = output.strip().splitlines()
            raise NoPdf(f"No PDF: {program} wrote none. It said: {said[-1][:300] if said else 'nothing'}")
        part = target.with_name(f".{target.name}.part")
        shutil.copyfile(printed, part)
        part.replace(target)


def _run(command: Sequence[str], seconds: float, program: Path) -> str:
    """Run to the end, in a group of its own, so that its helpers end with it."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise NoPdf(f"No PDF: {program} cannot be started: {error.strerror}.") from error
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise NoPdf(f"No PDF: {program} took more than {seconds:g} seconds and was ended.") from None
    if process.returncode != 0:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        raise NoPdf(
            f"No PDF: {program} ended with code {process.returncode}. It said: {lines[-1][:300] if lines else 'nothing'}"
        )
    return said.decode("utf-8", "replace")
