"""Signing in and out in a browser: what the content security policy and the browser's rules for cookies make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards.accounts import Accounts
from tests.dashboards.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.e2e.conftest import Watched

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_signing_in_at_a_provider_and_with_a_password(
    demo_home: Path, tmp_path: Path, serve: Callable[..., str], watch: Callable[..., Watched], axe: str | None
) -> None:
    (tmp_path / "serving").symlink_to(demo_home / "serving")
    Accounts(tmp_path).add("li", "a long enough one", role="executive", units=None, personal=False)
    with Provider() as provider:
        settings = {
            "CSATLAS_OIDC_ISSUER": provider.issuer,
            "CSATLAS_OIDC_CLIENT_ID": CLIENT_ID,
            "CSATLAS_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "CSATLAS_OIDC_REDIRECT_BASE": "{base}",
            "CSATLAS_OIDC_ROLES": "csatlas-analyst=analyst",
            "CSATLAS_OIDC_UNIT_CLAIM": "unit",
            "CSATLAS_OIDC_UNITS": "gz=C-GD-GZ",
            "CSATLAS_OIDC_LABEL": "Company account",
        }
        watched = watch(serve(tmp_path, settings))
        page = watched.page
        page.goto(f"{watched.base}/tickets?lang=en")
        page.get_by_role("link", name="Sign in with Company account").click()
        page.locator("#page-content h1").wait_for()
        assert page.url.startswith(f"{watched.base}/tickets") and page.locator(".account").inner_text() == "oidc:mei"
        assert "Guangzhou" in page.locator("body").inner_text(), "the reader's unit is named"
        page.wait_for_load_state("networkidle")
        page.locator("a[href^='/sign-out']").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{watched.base}/sign-in*")
        assert "/sign-out" in provider.asked, "the provider's session has ended too"
        page.goto(f"{watched.base}/tickets?lang=en")
        assert axe is None or watched.serious() == []
        page.get_by_label("User name").fill("li")
        page.get_by_label("Password").fill("a long enough one")
        page.get_by_role("button", name="Sign in").click()
        page.locator("#page-content h1").wait_for()
        assert page.locator(".account").inner_text() == "li"
        provider.person |= {"roles": ["something else"]}
        page.context.clear_cookies()
        page.goto(f"{watched.base}/sign-in?lang=zh")
        page.get_by_role("link", name="使用Company account登录").click()
        assert "尚未分配" in page.get_by_role("alert").inner_text()
    unexpected = [error for error in watched.errors if "403" not in error]
    assert unexpected == []
