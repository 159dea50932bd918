"""Reports: numbers are those of `csatlas metric`, nothing of other units is in them, they ask nobody for anything, and the sentences follow from facts."""

from __future__ import annotations

import json
import random
import re
import shutil
import stat
import time
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from math import sqrt
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader
from typer.testing import CliRunner

from dashboards.accounts import Accounts
from dashboards.app import create_app
from dashboards.data.headlines import decomposed
from dashboards.data.intervals import wilson
from dashboards.data.metrics import Metric, MetricValue, catalogue
from dashboards.data.reports import DataAge, agent_sheets, data_age
from dashboards.data.rights import Viewer
from dashboards.data.snapshot import Snapshot, open_snapshot, published_path
from dashboards.data.units import format_value
from dashboards.i18n import LANGUAGES, translator
from dashboards.reports import facts, sentences
from dashboards.reports.blocks import Report
from dashboards.reports.charts import nice_ticks
from dashboards.reports.packs import PACKS, Desk, ReportError, build_report, choose_period
from dashboards.reports.page import _style, report_html
from dashboards.reports.pdf import NoPdf, find_chromium, write_pdf
from dashboards.reports.periods import Period, PeriodError, last_whole, parse_period, period_of
from orchestration.reporting.commands import app
from orchestration.settings import Settings
from tests.conftest import csatlas
from tests.dashboards.rights import CITY, CITY_READER, PROVINCE, reduced
from tests.dashboards.test_auth import PASSWORD, sign_in

MONTH = parse_period("2026-08")
VOID = {"meta", "line", "rect", "circle", "polyline", "polygon", "br"}


class _Page(HTMLParser):
    """Tags, attributes and the texts of table rows of a page; fails on tags that do not fit."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)
        if self._open and {"th", "td"} & set(self._open):
            self.rows[-1][-1] += f"{data}\n"


@pytest.fixture(scope="module")
def whole(demo_home: Path) -> Iterator[Snapshot]:
    with closing(open_snapshot(published_path(demo_home / "serving"))) as found:
        yield found


@pytest.fixture(scope="module")
def only_theirs(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """A company that has nothing but the city's rows, read with the same rights."""
    serving = reduced(demo_home, tmp_path_factory.mktemp("reduced") / "serving")
    with closing(open_snapshot(published_path(serving))) as found:
        yield found.for_viewer(CITY_READER, lambda *_a, **_k: None)


def _period(pack: str) -> Period:
    return parse_period("2026-W37") if pack == "weekly" else MONTH


def _report(snapshot: Snapshot, pack: str, language: str = "en", units: tuple[str, ...] = ()) -> Report:
    return build_report(snapshot, pack, units=units, language=language, period=_period(pack))


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_figures_are_those_of_the_command(pack: str, whole: Snapshot, demo_home: Path) -> None:
    period = _period(pack)
    page = _Page(report_html(_report(whole, pack, units=(PROVINCE,))))
    desk = Desk(whole, PACKS[pack], (PROVINCE,), period, translator("en"))
    names = [figure.metric.name for figure in desk.headline]
    assert len(names) >= 4
    said = csatlas(
        demo_home, "metric", *names, "--unit", PROVINCE, "--from", period.start.isoformat(), "--to", period.end.isoformat(), "--json"
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    told = {row["metric"]: row for row in json.loads(said.stdout)}
    shown = {row[0].split("\n")[0]: row for row in page.rows if len(row) == 6}
    found = 0
    for figure in desk.headline:
        metric = catalogue(whole)[figure.metric.name]
        answer = told.get(metric.name, {"value": None})
        assert figure.now.value == answer["value"]
        if metric.label_en in shown and answer["value"] is not None:
            assert shown[metric.label_en][1].split("\n")[0] == format_value(
                translator("en"), answer["value"], metric.unit
            )
            found += 1
    assert found >= 3


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_a_report_is_the_same_where_nothing_else_exists(pack: str, whole: Snapshot, only_theirs: Snapshot) -> None:
    for units in ((), (CITY,)):
        theirs = _report(whole.for_viewer(CITY_READER, lambda *_a, **_k: None), pack, "zh", units)
        assert theirs == _report(only_theirs, pack, "zh", units)
    html = report_html(theirs)
    others = {
        row["agent_id"] for row in whole.rows("select agent_id from dim_agents where not starts_with(org_unit_id, 'T-GD-GZ') and org_unit_id <> 'C-GD-GZ'")
    }  # fmt: skip
    keys = {row["customer_key"] for row in whole.rows("select customer_key from dim_customers")}
    words = set(re.findall(r"[\w-]+", html))
    assert not words & others
    assert not words & keys


def test_a_unit_of_others_is_refused(whole: Snapshot) -> None:
    seen = whole.for_viewer(CITY_READER, lambda *_a, **_k: None)
    for unit in ("C-SC-CD", PROVINCE, "HQ", "nowhere"):
        with pytest.raises(ReportError, match="no unit"):
            _report(seen, "monthly", units=(unit,))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("pack", sorted(PACKS))
def test_a_page_stands_by_itself(pack: str, language: str, whole: Snapshot) -> None:
    report = _report(whole, pack, language)
    html = report_html(report)
    page = _Page(html)
    assert not {"script", "link", "img", "iframe", "object", "form", "a"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "href", "style", "action", "background"} and not any(
        name.startswith("on") for name in names
    )
    assert re.findall(r"https?://[^\"' ]+", html.replace("http://www.w3.org/2000/svg", "")) == []
    assert "url(" not in html and "@import" not in html
    assert len(report.sentences) == 3 and all(report.sentences)
    text = "\n".join(page.texts)
    assert not re.search(r"\bNone\b(?! of)", text) and "nan" not in text.split() and "{" not in text
    for svg in re.findall(r"<svg.*?</svg>", html):
        assert ElementTree.fromstring(svg).tag.endswith("svg")
    if language == "zh":
        assert re.search(r"[\u4e00-\u9fff]", report.title) and "数据完整至" in report.sentences[2]
    else:
        assert not re.search(r"[\u4e00-\u9fff]", " ".join(report.sentences))


def test_text_of_the_data_stays_text(demo_home: Path, tmp_path: Path) -> None:
    source = published_path(demo_home / "serving")
    path = tmp_path / source.name
    shutil.copyfile(source, path)
    hostile = "<script>alert(1)</script>\"'} body{display:none} \\ 广东"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "update dim_org_units set unit_name = ?, unit_name_en = ? where org_unit_id = 'P-GD'", [hostile] * 2
        )
        connection.execute("update fct_improvement_actions set problem = ?, plan = ?", [hostile] * 2)
        connection.execute(
            "update fct_improvement_actions set action_kind = 'corrective', phase = 'check', verdict = 'not_seen', rate_ratio = 1.2, ratio_low = 0.8, ratio_high = 1.9,"
            " open_complaints = 3, done_on = date '2026-08-03', org_unit_id = 'P-GD'"
        )
        connection.execute("update fct_hard_issues set org_unit_id = 'P-GD', waiting_since_at = timestamp '2026-01-05'")
        connection.execute("update dim_agents set agent_id = '<img src=x onerror=alert(1)>' || agent_id")
    with closing(open_snapshot(path)) as snapshot:
        for pack in PACKS:
            html = report_html(_report(snapshot, pack, units=("P-GD",)))
            page = _Page(html)
            assert "script" not in page.tags and "img" not in page.tags
            assert html.count("<style>") == 1
            style = html.split("<style>")[1].split("</style>")[0]
            assert "<" not in style and "body{display:none}" not in style and style.count('"') == _style("x").count('"')
            if pack == "complaints":
                said = " ".join(page.texts)
                for words in (
                    "shows no effect: 1.20 (0.80 to 1.90)",
                    "is done since 3 Aug 2026 and not checked",
                    "complaints left open: 3",
                    "Hard issues that wait for",
                ):
                    assert words in said
            assert page.tags.count("style") == 1 and "body{background:#fff" in style


# What changed


def _metric(**given_values: object) -> Metric:
    base = Metric(
        "m", "ratio", "Satisfaction", "满意度", "", "", "", "share", "up", "m", True, "day", "wilson", 30, "day", None, 1, None, "f", (), None, {}, (), {}
    )  # fmt: skip
    return replace(base, **given_values)  # type: ignore[arg-type]


def _share(hits: int, n: int) -> MetricValue:
    low, high = wilson(hits, n) or (None, None)
    return MetricValue("m", hits / n, hits, n, low, high, n, n < 30)


def _figure(hits: int, n: int, hits_before: int, n_before: int, **given_values: object) -> facts.Figure:
    return facts.with_difference(facts.Figure(_metric(**given_values), _share(hits, n), _share(hits_before, n_before)))


AGE = DataAge("v", __import__("datetime").datetime(2026, 9, 2, 3), date(2026, 9, 1), date(2026, 9, 1), None)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    # Newcombe 1998, example (a): 56/70 and 48/80, method 10: 0.0524 to 0.3339.
    figure = _figure(56, 70, 48, 80)
    assert figure.low == pytest.approx(0.0524, abs=5e-5) and figure.high == pytest.approx(0.3339, abs=5e-5)


def test_chance_is_not_called_a_change() -> None:
    rng = random.Random(20261127)
    quiet = 0
    for _ in range(300):
        figures = [
            _figure(sum(rng.random() < 0.8 for _ in range(200)), 200, sum(rng.random() < 0.8 for _ in range(150)), 150, name=f"m{number}")
            for number in range(6)
        ]  # fmt: skip
        quiet += not facts.beyond_chance(figures)
    # Expected: at most 5 % of the reports name a change; three standard errors of that.
    assert quiet >= 300 * (0.95 - 3 * sqrt(0.05 * 0.95 / 300))


def test_a_real_change_is_said_with_numbers_and_judgement() -> None:
    t = translator("en")
    figures = [
        _figure(700, 1000, 850, 1000),
        _figure(500, 1000, 505, 1000, name="other", label_en="Other", direction="down"),
    ]
    assert [figure.metric.name for figure in facts.beyond_chance(figures)] == ["m"]
    said = sentences.what_changed(t, figures, MONTH)
    assert said.startswith(
        "Satisfaction fell from 85.0% to 70.0% (−15.0 pts; 95% interval −18.6 to −11.4 pts), for the worse"
    )
    chinese = sentences.what_changed(translator("zh"), figures, MONTH)
    assert chinese.startswith("满意度由 85.0% 降至 70.0%（−15.0 个百分点，95% 区间 −18.6 至 −11.4 个百分点），变差")
    assert sentences.what_changed(t, figures, MONTH) == said
    falling = [_figure(300, 1000, 450, 1000, direction="down")]
    assert "for the better" in sentences.what_changed(t, falling, MONTH)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_beyond_chance_is_said_so(language: str) -> None:
    t = translator(language)
    figures = [_figure(80, 100, 79, 100), _figure(50, 100, 51, 100, name="other")]
    said = sentences.what_changed(t, figures, MONTH)
    assert (
        "None of the figures judged (2) moved beyond chance" if language == "en" else "2 项指标均无超出随机波动的变化"
    ) in said
    nothing = sentences.what_changed(t, [_figure(3, 4, 1, 4)][:0], MONTH)
    assert ("Too little" if language == "en" else "样本太少") in nothing


def test_targets_and_age() -> None:
    t = translator("en")
    missed, open_, met = (
        _figure(700, 1000, 700, 1000, target=0.8),
        _figure(78, 100, 78, 100, target=0.8),
        _figure(85, 100, 85, 100, target=0.8),
    )
    assert [figure.target_state for figure in (missed, open_, met)] == ["missed", "open", "met"]
    small = _figure(3, 10, 3, 10, target=0.8)
    assert small.target_state is None
    assert sentences.where_it_stands(t, [missed, open_, met], AGE, MONTH) == (
        "Targets missed: Satisfaction 70.0% (target 80.0%); not met, but within the interval: Satisfaction 78.0% (target 80.0%);"
        " the data are complete up to 1 Sep 2026 and were published on 2 Sep 2026."
    )
    late = replace(AGE, complete_until=date(2026, 8, 20), stale="zendesk: 3 days")
    assert sentences.where_it_stands(t, [met], late, MONTH) == (
        "Every figure with a target met it (1); the data are complete only up to 20 Aug 2026, so the period is not over in them; some sources are late: zendesk: 3 days."
    )


def test_counts_are_judged_by_how_they_vary_from_day_to_day(demo_home: Path, tmp_path: Path) -> None:
    source = published_path(demo_home / "serving")
    path = tmp_path / source.name
    shutil.copyfile(source, path)
    burst = date(2026, 9, 7)
    with closing(open_snapshot(source)) as before:
        quiet = facts.figures(before, ["tickets_created"], period_of("week", burst), ())[0]
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "update parts.fct_tickets set tickets_created_count = 4 * tickets_created_count where metric_time between ? and ?",
            [burst, burst + timedelta(days=6)],
        )
    with closing(open_snapshot(path)) as after:
        moved = facts.figures(after, ["tickets_created"], period_of("week", burst), ())[0]
        limited = after.for_viewer(Viewer(None, "executive", frozenset({"HQ"}), False), lambda *_a, **_k: None)
        small = facts.figures(limited, ["tickets_created"], period_of("week", burst), ())[0]
    assert quiet.strength is not None and facts.beyond_chance([quiet]) == []
    assert facts.beyond_chance([moved]) == [moved] and moved.low is not None and moved.low > 1.5
    # Days with 1 to 4 tickets are hidden from a limited reader; the week is judged all the same.
    assert facts.beyond_chance([small]) == [small]


_CELLS = st.dictionaries(
    st.sampled_from("abcde"), st.tuples(st.integers(0, 500), st.integers(1, 500)).map(lambda pair: (float(min(pair)), float(max(pair)))), min_size=1
)  # fmt: skip


@given(now=_CELLS, before=_CELLS)
def test_level_mix_and_parts_add_up(
    now: dict[str, tuple[float, float]], before: dict[str, tuple[float, float]]
) -> None:
    split = decomposed("channel", now, before)
    assert split is not None

    def value(cells: dict[str, tuple[float, float]]) -> float:
        return sum(top for top, _ in cells.values()) / sum(bottom for _, bottom in cells.values())

    change = value(now) - value(before)
    assert split.level + split.mix == pytest.approx(change, abs=1e-9)
    assert sum(part.amount for part in split.parts) == pytest.approx(change, abs=1e-9)
    counted = decomposed("channel", now, before, is_count=True)
    assert counted is not None and counted.mix == 0
    tops = sum(top for top, _ in now.values()) - sum(top for top, _ in before.values())
    assert sum(part.amount for part in counted.parts) == pytest.approx(tops)


def test_a_change_of_the_mix_is_not_called_a_change_of_level() -> None:
    # Both slices stay as they are; the worse one grows.
    split = decomposed("channel", {"phone": (90, 100), "email": (450, 900)}, {"phone": (810, 900), "email": (50, 100)})
    assert split is not None and split.level == pytest.approx(0) and split.mix == pytest.approx(-0.32)


# Periods, charts, PDF


def test_periods() -> None:
    assert parse_period("2026-W01") == Period("week", date(2025, 12, 29), date(2026, 1, 4))
    assert parse_period("2026-02").end == date(2026, 2, 28) and parse_period("2026-q4").end == date(2026, 12, 31)
    assert (
        last_whole("month", date(2026, 9, 30)).code == "2026-09"
        and last_whole("month", date(2026, 9, 29)).code == "2026-08"
    )
    assert parse_period("2026-01").before().code == "2025-12"
    for text in ("2026", "2026-13", "2026-W60", "2026-Q5", "w1", "2026-1-1"):
        with pytest.raises(PeriodError, match="is no period"):
            parse_period(text)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(["week", "month", "quarter"]))
def test_periods_lie_side_by_side(day: date, kind: str) -> None:
    found = period_of(kind, day)
    assert found.start <= day <= found.end and parse_period(found.code) == found
    assert found.before().end + timedelta(days=1) == found.start


def test_a_report_has_its_periods(whole: Snapshot) -> None:
    assert choose_period(whole, PACKS["weekly"]).end <= data_age(whole).complete_until
    with pytest.raises(PeriodError, match="made by week, not by month"):
        choose_period(whole, PACKS["weekly"], MONTH)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_hold_the_values(low: float, room: float) -> None:
    ticks = nice_ticks(low, low + room)
    assert len(ticks) <= 7 and ticks == sorted(set(ticks))
    slack = 1e-6 * max(1.0, abs(low), room)
    assert ticks[0] <= low + slack and ticks[-1] >= low + room - slack


def test_satisfaction_of_few_answers_is_not_told_to_a_limited_reader(whole: Snapshot) -> None:
    everything = agent_sheets(whole, (), date(2026, 8, 1))
    seen = agent_sheets(
        whole.for_viewer(Viewer(None, "executive", frozenset({"HQ"}), False), lambda *_a, **_k: None),
        (),
        date(2026, 8, 1),
    )
    few = {row["agent_id"] for row in everything if 0 < (row["csat_answers"] or 0) < 5}
    assert few
    assert all(row["csat_top2"] is None for row in seen if row["agent_id"] in few)
    assert any(row["csat_top2"] is not None for row in seen)


@pytest.mark.parametrize(("pack", "language"), [("complaints", "zh"), ("monthly", "en")])
def test_a_pdf_has_pages_with_numbers_and_words(pack: str, language: str, whole: Snapshot, tmp_path: Path) -> None:
    report = _report(whole, pack, language)
    html, pdf = tmp_path / "a report.html", tmp_path / "out.pdf"
    html.write_text(report_html(report), encoding="utf-8")
    write_pdf(html, pdf)
    reader = PdfReader(pdf)
    assert 2 <= len(reader.pages) <= 14
    assert [round(float(size)) for size in reader.pages[0].mediabox[2:]] == [595, 842]
    # A font may draw "ff" and 月 by other signs of the same meaning.
    texts = [" ".join(unicodedata.normalize("NFKC", page.extract_text()).split()) for page in reader.pages]
    assert (
        report.title in texts[0]
        and f"1 / {len(reader.pages)}" in texts[0]
        and f"{len(reader.pages)} / {len(reader.pages)}" in texts[-1]
    )
    squeezed = re.sub(r"\s", "", "".join(texts))
    for section in report.sections:
        assert re.sub(r"\s", "", unicodedata.normalize("NFKC", section.title)) in squeezed


def _program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_without_chromium_the_html_is_there_and_it_is_said(
    demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoPdf, match="CSATLAS_CHROMIUM"):
        find_chromium(str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoPdf, match="no Chromium was found"):
        find_chromium()
    page, pdf = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text("<p>x</p>", encoding="utf-8")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(NoPdf, match=r"ended with code 3\. It said: no display"):
        write_pdf(page, pdf, chromium=_program(tmp_path / "bad", "echo no display >&2; exit 3"))
    with pytest.raises(NoPdf, match="wrote none"):
        write_pdf(page, pdf, chromium=_program(tmp_path / "idle", "exit 0"))
    began = time.monotonic()
    with pytest.raises(NoPdf, match=r"more than 0\.3 seconds"):
        write_pdf(page, pdf, chromium=_program(tmp_path / "slow", "sleep 60"), seconds=0.3)
    assert time.monotonic() - began < 10 and not pdf.exists()

    done = csatlas(
        demo_home,
        "report",
        "quality",
        "--unit",
        CITY,
        "--period",
        "2026-08",
        "--out",
        str(tmp_path),
        "--json",
        env={"CSATLAS_CHROMIUM": "/nowhere"},
    )
    assert done.returncode == 0, done.stderr
    facts_of = json.loads(done.stdout)
    assert facts_of["pdf"] is None and "/nowhere" in facts_of["no_pdf"]
    assert (tmp_path / f"quality-2026-08-{CITY}-en.html").exists()
    audit = (Settings(home=demo_home).home / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(audit[-1])["event"] == "exported" and json.loads(audit[-1])["page"] == "report quality 2026-08"


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("--unit", "nowhere"), "no unit 'nowhere'", 2), (("--period", "2026-13"), "is no period", 2), (("--period", "2026-W10"), "not by week", 2),
        (("--lang", "fr"), "there are en, zh", 2), (("--as", "nobody"), "no user 'nobody'", 2), (("--as-of", "soon"), "is no day", 2),
        (("--out", "/nowhere"), "is no folder", 2), (("--period", "2026-08", "--as-of", "2026-08-31"), "not both", 2),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused_in_words(
    arguments: tuple[str, ...], words: str, code: int, demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CSATLAS_HOME", str(demo_home))
    done = CliRunner().invoke(app, ["quality", "--no-pdf", "--out", str(tmp_path), *arguments])
    assert done.exit_code == code and words in " ".join(done.output.split())
    monkeypatch.setenv("CSATLAS_HOME", str(tmp_path))
    assert CliRunner().invoke(app, ["quality", "--out", str(tmp_path)]).exit_code == 4
    assert list(tmp_path.glob("*.html")) == []


def test_the_server_gives_reports_with_the_rights_of_who_asks(demo_home: Path, tmp_path: Path, whole: Snapshot) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "serving").symlink_to(demo_home / "serving")
    Accounts(home).add("mei", role="executive", units=(CITY,), personal=False, password=PASSWORD)
    client = create_app(home / "serving").server.test_client()
    assert client.get("/report/monthly.html").status_code == 401
    sign_in(client)
    answer = client.get("/report/monthly.html?lang=zh&period=2026-08")
    viewer = Viewer("mei", "executive", frozenset({CITY}), False)
    expected = report_html(_report(whole.for_viewer(viewer, lambda *_a, **_k: None), "monthly", "zh"))
    assert answer.status_code == 200 and answer.get_data(as_text=True) == expected
    assert answer.headers["Cache-Control"] == "no-store" and "广州市分公司" in expected and "成都" not in expected
    pdf = client.get(f"/report/quality.pdf?period=2026-08&unit={CITY}")
    assert (
        pdf.status_code == 200
        and pdf.data.startswith(b"%PDF-")
        and pdf.headers["Content-Disposition"].startswith("attachment")
    )
    for address in (
        "monthly.html?unit=C-SC-CD",
        "monthly.html?unit=HQ",
        "none.html",
        "monthly.exe",
        "monthly.html?as_of=x",
        "quality.pdf?period=2026-W33",
    ):
        assert client.get(f"/report/{address}").status_code == 404, address
    audit = [json.loads(line) for line in (home / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(one["user"], one["file"]) for one in audit if one["event"] == "exported"] == [
        ("mei", "monthly-2026-08-zh.html"), ("mei", "quality-2026-08-zh.pdf"),
    ]  # fmt: skip
    without = create_app(home / "serving", chromium="/nowhere/chromium").server.test_client()
    sign_in(without)
    refused = without.get("/report/quality.pdf?period=2026-08")
    assert refused.status_code == 503 and "/nowhere/chromium" in refused.get_data(as_text=True)
