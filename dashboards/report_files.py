"""Reports as files of the server: `/report/monthly.html` and `/report/monthly.pdf`, with the rights of who asks.

Belongs here: the addresses, and what is answered when one cannot be made. Does not belong here: the reports themselves (dashboards.reports).
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

from flask import Flask, Response, request

from dashboards.data.snapshot import NoSnapshot, SnapshotStore
from dashboards.i18n import LANGUAGES, translator
from dashboards.reports.packs import ReportError, build_report, choose_period, find_pack
from dashboards.reports.page import report_html
from dashboards.reports.pdf import NoPdf, write_pdf
from dashboards.reports.periods import PeriodError, parse_period

PATH = "/report/"
KINDS = {"html": "text/html", "pdf": "application/pdf"}
PDF_SECONDS = 40.0
"""Less than the server gives a request."""
_ONE_PDF = threading.Lock()
"""A Chromium takes a few hundred megabytes: one at a time in a process."""


def add_report_files(
    server: Flask, store: SnapshotStore, language: Callable[[], str], *, chromium: str | None = None
) -> None:
    """Answer `/report/<pack>.<html or pdf>?unit=…&period=…` or `&as_of=…`.

    Args:
        language: that of the request, if it names none.
        chromium: program that prints; default: the first found.
    """

    @server.get(f"{PATH}<name>")
    def report_file(name: str) -> Response:
        asked = request.args.get("lang", "")
        t = translator(asked if asked in LANGUAGES else language())
        pack, _, kind = name.rpartition(".")
        units = [unit for unit in request.args.getlist("unit") if unit]
        if kind not in KINDS:
            return _said(t("report.page.refused"), 404)
        try:
            snapshot = store.current()
            period = parse_period(request.args["period"]) if request.args.get("period") else None
            as_of = date.fromisoformat(request.args["as_of"]) if request.args.get("as_of") else None
            chosen = choose_period(snapshot, find_pack(pack), period, as_of)
            report = build_report(snapshot, pack, units=units, language=t.language, period=chosen)
            content = report_html(report).encode()
            if kind == "pdf":
                content = _pdf(content, chromium)
        except (ReportError, PeriodError, ValueError):
            return _said(t("report.page.refused"), 404)
        except NoSnapshot:
            return _said(t("state.no_snapshot.title"), 503)
        except NoPdf as error:
            return _said(f"{t('report.page.no_pdf')}\n\n{error}", 503)
        file = f"{pack}-{chosen.code}-{t.language}.{kind}"
        snapshot.note("exported", file=file, page=request.full_path.rstrip("?"))
        answer = Response(content, mimetype=KINDS[kind])
        answer.headers["Content-Disposition"] = f'{"inline" if kind == "html" else "attachment"}; filename="{file}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _said(text: str, status: int) -> Response:
    return Response(text, status=status, mimetype="text/plain")


def _pdf(html: bytes, chromium: str | None) -> bytes:
    if not _ONE_PDF.acquire(timeout=10):
        raise NoPdf("Another PDF is being made; try again in a moment.")
    try:
        with tempfile.TemporaryDirectory(prefix="csatlas-report-") as folder:
            page, pdf = Path(folder) / "report.html", Path(folder) / "report.pdf"
            page.write_bytes(html)
            write_pdf(page, pdf, chromium=chromium, seconds=PDF_SECONDS)
            return pdf.read_bytes()
    finally:
        _ONE_PDF.release()
