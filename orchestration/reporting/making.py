"""Reports as files, with the rights of whom they are made for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dashboards.accounts import AUDIT, AccountError, Accounts, note
from dashboards.data.rights import Viewer
from dashboards.data.snapshot import Snapshot, SnapshotStore
from dashboards.reports.blocks import Report
from dashboards.reports.packs import build_report, choose_period, find_pack
from dashboards.reports.page import report_html
from dashboards.reports.pdf import NoPdf, write_pdf
from dashboards.reports.periods import Period
from orchestration.settings import Settings


@dataclass(frozen=True)
class Made:
    """A report with its files. `no_pdf`: why there is no PDF; None if there is one or none was asked for."""

    report: Report
    period: Period
    html: Path
    pdf: Path | None
    no_pdf: str | None


def viewer_of(settings: Settings, account: str | None, units: Sequence[str]) -> Viewer:
    """Who a report is read as: an account, else a reader of these units alone, without personal data.

    Raises:
        AccountError: there is no such account.
    """
    if account is None:
        return Viewer(None, "executive", frozenset(units) if units else None, False)
    found = Accounts(settings.home).all().get(account)
    if found is None:
        raise AccountError(
            f"There is no user {account!r}; `csatlas user list` shows them, `csatlas user add` adds one."
        )
    return found.viewer


@contextmanager
def snapshot_for(settings: Settings, viewer: Viewer) -> Iterator[Snapshot]:
    """The published snapshot as somebody sees it.

    Raises:
        NoSnapshot: nothing is published.
    """
    store = SnapshotStore(settings.serving, viewer=lambda: viewer)
    try:
        yield store.current()
    finally:
        store.close()


def file_stem(pack: str, period: Period, units: Sequence[str], language: str) -> str:
    """Name of the files without ending: monthly-2026-10-P-GD-zh."""
    safe = ["".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in unit)[:40] for unit in units]
    return "-".join([pack, period.code, *safe, language])


def make_report(
    settings: Settings,
    snapshot: Snapshot,
    pack: str,
    target: Path,
    *,
    units: Sequence[str] = (),
    language: str = "en",
    period: Period | None = None,
    as_of: date | None = None,
    with_pdf: bool = True,
) -> Made:
    """Make a report and write it as HTML, and as PDF where a Chromium is found; what was written stands in the audit log.

    Args:
        target: a file (.html or .pdf; both are written beside each other) or a folder, which must be there.

    Raises:
        ReportError: see `build_report`. PeriodError: the same. OSError: a file cannot be written.
    """
    chosen = choose_period(snapshot, find_pack(pack), period, as_of)
    report = build_report(snapshot, pack, units=units, language=language, period=chosen)
    if target.suffix.lower() in (".html", ".pdf"):
        html = target.with_suffix(".html")
    else:
        html = target / f"{file_stem(pack, chosen, units, language)}.html"
    part = html.with_name(f".{html.name}.part")
    part.write_text(report_html(report), encoding="utf-8")
    part.replace(html)
    pdf: Path | None = None
    reason = None
    if with_pdf:
        pdf = html.with_suffix(".pdf")
        try:
            write_pdf(html, pdf, chromium=settings.chromium)
        except NoPdf as error:
            pdf, reason = None, str(error)
    for path in filter(None, (html, pdf)):
        note(
            settings.home,
            "exported",
            user=snapshot.viewer.user,
            address=None,
            file=path.name,
            page=f"report {pack} {chosen.code}",
        )
    return Made(report, chosen, html, pdf, reason)


__all__ = ["AUDIT", "Made", "file_stem", "make_report", "snapshot_for", "viewer_of"]
