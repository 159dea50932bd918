"""What no other browser test looks at: hostile addresses on every kind of page, the keyboard alone, periods without data, and paper."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.e2e.conftest import Watched

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Watch = Callable[..., Watched]
EVIL = quote("\"><img src=x onerror=window.hacked=1><script>window.hacked=1</script>' or 1=1 --")
_WHERE = "() => { const one = document.activeElement; return [one.className, one.getBoundingClientRect().top, one.id] }"
_WIDTHS = "() => [...document.querySelectorAll('.charts .panel .main-svg')].map(svg => svg.clientWidth)"


@pytest.mark.parametrize(
    "address",
    [
        f"/satisfaction?tab={EVIL}&unit={EVIL}&channel={EVIL}&product={EVIL}&kind={EVIL}&compare={EVIL}",
        f"/explore?metric={EVIL}&by={EVIL}&grain={EVIL}",
        f"/definitions?family={EVIL}#{EVIL}",
        f"/rows?metric={EVIL}&part={EVIL}",
        f"/customer?who={EVIL}",
        f"/{EVIL}?lang={EVIL}&period=custom&from={EVIL}&to={EVIL}",
    ],
)
def test_words_in_an_address_are_never_markup_or_code(company: str, watch: Watch, address: str) -> None:
    watched = watch(company)
    dialogs: list[str] = []
    watched.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page = watched.open(address)
    assert page.evaluate("window.hacked") is None and dialogs == []
    assert page.locator("img[src='x']").count() == 0
    assert watched.hosts == {company.removeprefix("http://")}
    assert watched.errors == []


def test_the_keyboard_alone_leads_through_a_page(company: str, watch: Watch) -> None:
    watched = watch(company)
    page = watched.open("/customers?lang=en&unit=P-JS")
    page.keyboard.press("Tab")
    name, top, _ = page.evaluate(_WHERE)
    assert name == "skip" and top >= 0, "the first stop is the way past the menu, and it is seen"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        name, _, _ = page.evaluate(_WHERE)
        assert name not in ("brand", "skip"), "the menu was not passed by"
        if "tab" in name.split() and "tab-current" not in name.split():
            break
    else:
        pytest.fail("no tab was reached")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "where the keyboard is can be seen"
    page.keyboard.press("Enter")
    page.wait_for_url("**tab=churn**")
    page.get_by_role("heading", name="Why they leave and when").wait_for()
    assert "unit=P-JS" in page.url and watched.errors == []


@pytest.mark.parametrize("path", ["/", "/contact-centre"])
def test_a_period_without_data_says_so(company: str, watch: Watch, path: str) -> None:
    watched = watch(company)
    page = watched.open(f"{path}?lang=en&period=custom&from=1999-01-01&to=1999-01-31&compare=none")
    text = page.locator("#page-content").inner_text()
    assert "nothing to count" in text
    assert not {"NaN", "None", "undefined", "null", "Infinity"} & set(text.split())
    assert watched.errors == []


def test_on_paper_nothing_is_cut(company: str, watch: Watch) -> None:
    page = watch(company).open("/?lang=en")
    page.locator(".charts .panel .main-svg").first.wait_for()
    before = page.evaluate(_WIDTHS)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    half = (688 - 16) / 2
    assert len(before) >= 4 and max(page.evaluate(_WIDTHS)) < half < min(before), "two charts stand side by side on A4"
    page.emulate_media(media="print")
    assert page.locator(".navigation:visible, .filters:visible, .header:visible, details.download:visible").count() == 0
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.wait_for_function(f"before => JSON.stringify(({_WIDTHS})()) === JSON.stringify(before)", arg=before)
