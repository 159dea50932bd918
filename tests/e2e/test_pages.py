"""The pages in a real browser, in both languages."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.serving import publish
from orchestration.settings import Settings
from tests.conftest import csatlas
from tests.e2e.conftest import Watched

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Watch = Callable[..., Watched]
PAGES = {
    "/": ("Overview", "总览"),
    "/satisfaction": ("Satisfaction", "满意度"),
    "/customers": ("Customers", "客户"),
    "/complaints": ("Complaints", "投诉"),
    "/causes": ("Causes and improvement", "原因与改善"),
    "/contact-centre": ("Contact centre", "客服中心"),
    "/tickets": ("Tickets", "工单"),
    "/customer": ("Customer", "客户档案"),
    "/explore": ("Explore", "自由分析"),
    "/reports": ("Reports", "报告"),
    "/definitions": ("Definitions", "指标定义"),
    "/data-health": ("Data health", "数据健康"),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("path", sorted(PAGES))
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_load_without_errors_and_without_other_hosts(
    company: str, watch: Watch, axe: str | None, path: str, language: str, width: int
) -> None:
    watched = watch(company, width)
    page = watched.open(f"{path}?lang={language}")
    if axe is not None and (language == "zh") == (width < 720):
        assert watched.serious() == []
    assert watched.errors == []
    assert watched.hosts == {company.removeprefix("http://")}
    assert page.locator("html").get_attribute("lang") == ("zh-CN" if language == "zh" else "en")
    assert PAGES[path][language == "zh"] in page.title()
    text = page.locator("#page-content").inner_text()
    assert bool(re.search("[\u4e00-\u9fff]{2}", text)) == (language == "zh")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 1, "the page is wider than the screen"


def test_cards_show_what_the_command_line_says(company: str, demo_home: Path, watch: Watch) -> None:
    page = watch(company).open("/?lang=en&period=custom&from=2026-08-01&to=2026-09-30&compare=none")
    (row,) = json.loads(
        csatlas(demo_home, "metric", "tickets_created", "--from", "2026-08-01", "--to", "2026-09-30", "--json").stdout
    )
    (level,) = json.loads(
        csatlas(demo_home, "metric", "service_level", "--from", "2026-08-01", "--to", "2026-09-30", "--json").stdout
    )
    text = page.locator("#page-content").inner_text()
    assert f"{row['value']:,.0f}" in text
    assert f"{100 * level['value']:.1f}%" in text


@pytest.mark.parametrize(
    ("path", "metric"),
    [
        ("/satisfaction", "csat_mean"),
        ("/complaints", "complaint_case_count"),
        ("/causes", "cause_repeat_rate"),
        ("/contact-centre", "abandonment_rate"),
        ("/tickets", "reopen_rate"),
        ("/customers?tab=money", "billed_amount"),
        ("/explore?metric=sla_attainment&grain=none", "sla_attainment"),
    ],
)
def test_a_page_shows_what_the_command_line_says(
    company: str, demo_home: Path, watch: Watch, path: str, metric: str
) -> None:
    (row,) = json.loads(
        csatlas(demo_home, "metric", metric, "--from", "2026-08-01", "--to", "2026-09-30", "--json").stdout
    )
    days = "period=custom&from=2026-08-01&to=2026-09-30&compare=none&lang=en"
    page = watch(company).open(f"{path}{'&' if '?' in path else '?'}{days}")
    shown = page.locator(f"article[data-metric={metric}] .kpi-value").inner_text()
    value = float(re.sub(r"[,%]", "", shown)) / (100 if shown.endswith("%") else 1)
    assert value == pytest.approx(row["value"], abs=0.00051 if shown.endswith("%") else 0.0051)


def test_tabs_are_links_that_keep_the_filters(company: str, watch: Watch) -> None:
    watched = watch(company)
    page = watched.open("/customers?lang=en&unit=P-JS")
    page.get_by_role("link", name="Tiers", exact=True).click()
    page.get_by_role("heading", name="Pyramid", exact=True).wait_for()
    assert "tab=tiers" in page.url and "unit=P-JS" in page.url
    page.go_back()
    page.get_by_role("heading", name="Attitude and behaviour").wait_for()
    assert watched.errors == []


def test_the_catalogue_is_searched_and_a_family_opened(company: str, watch: Watch) -> None:
    watched = watch(company)
    page = watched.open("/definitions?lang=en")
    page.locator("#definitions-search").fill("net promoter score")
    row = page.locator(".ag-row").get_by_text("Net promoter score", exact=True).first
    row.click()
    page.get_by_role("heading", name="Net promoter score: variants on the data").wait_for()
    assert page.locator(".ag-center-cols-container .ag-row").count() < 8
    assert watched.errors == []


def test_what_is_explored_stands_in_the_address(company: str, watch: Watch) -> None:
    watched = watch(company)
    page = watched.open("/explore?lang=en&period=last_30_days&metric=service_level&by=queue&grain=none")
    page.locator("#explore-grain").click()
    page.get_by_role("option", name="by week").click()
    page.wait_for_url("**grain=week**")
    page.wait_for_load_state("networkidle")
    assert "metric=service_level" in page.url and "by=queue" in page.url and "period=last_30_days" in page.url
    assert "select" in page.locator(".sql").inner_text()
    assert watched.errors == []


def test_tables_charts_and_free_queries_become_files(company: str, watch: Watch, tmp_path: Path) -> None:
    watched = watch(company)
    page = watched.open("/explore?lang=en&metric=tickets_created&by=channel&grain=none")
    menu = page.locator("details.download:has([data-export='explore-chart'])")
    for kind, begins in (
        ("csv", b"\xef\xbb\xbf"),
        ("xlsx", b"PK"),
        ("parquet", b"PAR1"),
        ("svg", b"<svg"),
        ("png", b"\x89PNG"),
    ):
        menu.locator("summary").click()
        with page.expect_download() as given:
            menu.locator(f"button[data-kind={kind}]").click()
        assert given.value.suggested_filename.endswith(f".{kind}")
        given.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(begins), kind
    page.locator("#sql-text").fill("select channel, count(*) as n from fct_tickets group by all")
    page.locator("#sql-run").click()
    page.wait_for_selector("#sql-grid .ag-row")
    page.locator("#sql-text").fill("select * from read_csv('/etc/hostname')")
    page.wait_for_timeout(500)
    page.locator("#sql-run").click()
    page.wait_for_selector(".sql-refused")
    assert watched.errors == []


def test_a_number_leads_to_its_rows_and_a_row_to_its_customer(company: str, watch: Watch) -> None:
    watched = watch(company)
    page = watched.open("/tickets?lang=en&period=custom&from=2026-08-01&to=2026-09-30&compare=none")
    page.locator("[data-metric=tickets_created] a[href*='/rows']").first.click()
    page.wait_for_selector("#rows-count")
    assert "rows of fct_tickets" in page.locator("#rows-count").inner_text()
    page.locator("#rows-grid .cell-link").first.click()
    page.wait_for_selector("#customer-timeline")
    assert "/customer?who=" in page.url
    assert watched.errors == []


def test_a_filter_stands_in_the_address_and_changes_the_numbers(company: str, demo_home: Path, watch: Watch) -> None:
    watched = watch(company)
    page = watched.open("/?lang=en&period=last_12_months&unit=P-JS&compare=none")
    (row,) = json.loads(csatlas(demo_home, "metric", "tickets_created", "--unit", "P-JS", "--json").stdout)
    assert f"{row['value']:,.0f}" in page.locator("#page-content").inner_text()
    page.get_by_text("中文", exact=True).click()
    page.wait_for_load_state("networkidle")
    assert "unit=P-JS" in page.url and "lang=zh" in page.url


def test_nonsense_in_the_address_is_said_and_never_executed(company: str, watch: Watch) -> None:
    watched = watch(company)
    page = watched.open("/?lang=en&unit=<script>window.hacked=1</script>&period=forever&channel='%20or%201=1")
    assert page.evaluate("window.hacked") is None
    assert watched.errors == []
    assert "<script>" in page.locator("body").inner_text()


def test_the_date_picker_speaks_chinese(company: str, watch: Watch) -> None:
    page = watch(company).open("/?lang=zh")
    page.locator("#filter-days").click()
    page.wait_for_timeout(500)
    calendar = page.locator(
        ".mantine-DatePickerInput-calendarHeader, .mantine-CalendarHeader-calendarHeader, [data-dates-dropdown], .mantine-Popover-dropdown"
    ).first.inner_text()
    assert "月" in calendar


def test_a_new_snapshot_appears_while_the_page_is_open(
    demo_copy: Callable[[], Path], serve: Callable[[Path], str], watch: Watch
) -> None:
    home = demo_copy()
    settings = Settings(home=home)
    watched = watch(serve(home))
    page = watched.open("/data-health?lang=en")
    first = str(publish.published_version(settings))
    assert first in page.locator("#page-content").inner_text()
    later = "20991231T000000000Z"
    shutil.copy(settings.serving / f"csatlas-{first}.duckdb", settings.serving / f"csatlas-{later}.duckdb")
    import duckdb

    with duckdb.connect(str(settings.serving / f"csatlas-{later}.duckdb")) as connection:
        connection.execute("update meta.snapshot set version = ?", [later])
    publish.publish(settings, later)
    page.get_by_text(later).wait_for(timeout=40_000)
    assert watched.errors == []


def test_a_failed_night_is_told_and_yesterday_stays(
    demo_copy: Callable[[], Path], serve: Callable[[Path], str], watch: Watch
) -> None:
    home = demo_copy()
    settings = Settings(home=home)
    publish.write_status(
        settings,
        {
            "outcome": "failed",
            "run_id": "x",
            "reasons": ["test <b>nobody</b> fail"],
            "version": publish.published_version(settings),
        },
    )
    page = watch(serve(home)).open("/?lang=en")
    banner = page.locator("#status-banner").inner_text()
    assert "test <b>nobody</b> fail" in banner
    assert "22" not in page.locator("#page-content h1").inner_text()
    assert page.locator("#status-banner b").count() == 0


def test_without_a_snapshot_the_page_says_what_to_run(
    tmp_path: Path, serve: Callable[[Path], str], watch: Watch
) -> None:
    watched = watch(serve(tmp_path))
    page = watched.open("/?lang=en")
    assert "csatlas refresh" in page.locator("#page-content").inner_text()
    assert watched.errors == []


def test_security_headers(company: str) -> None:
    import urllib.request

    with urllib.request.urlopen(company) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
    assert "unsafe-inline" not in scripts and "http" not in scripts.replace("'self'", "")
