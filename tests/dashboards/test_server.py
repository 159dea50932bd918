"""The server that gunicorn runs."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dashboards.wsgi import make_server


def test_readers_who_come_at_once_to_a_new_server_all_get_its_scripts(tmp_path: Path) -> None:
    page = make_server(str(tmp_path)).test_client().get("/").get_data(as_text=True)
    scripts = re.findall(r'src="(/_dash-component-suites/[^"]+)"', page)
    assert len(scripts) >= 5
    server = make_server(str(tmp_path))
    together = threading.Barrier(len(scripts))

    def fetched(script: str) -> int:
        together.wait()
        return server.test_client().get(script).status_code

    with ThreadPoolExecutor(len(scripts)) as pool:
        assert set(pool.map(fetched, scripts)) == {200}
