"""Entry for a WSGI server: `gunicorn 'dashboards.wsgi:make_server("/path/to/home/serving")'`.

Without an argument the folder is `$CSATLAS_HOME/serving` (default `./var/serving`). This is the only place of the
dashboards that reads the environment.
"""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask

from dashboards.accounts import KEY_VARIABLE
from dashboards.app import create_app
from dashboards.auth import WARM_UP
from dashboards.openid_settings import sign_in_settings


def make_server(serving: str | None = None) -> Flask:
    """The Flask application over a serving folder."""
    folder = Path(serving) if serving else Path(os.environ.get("CSATLAS_HOME") or "var") / "serving"
    server = create_app(
        folder.expanduser().absolute(),
        secret=os.environ.get(KEY_VARIABLE, ""),
        sign_in=sign_in_settings(os.environ),
        chromium=os.environ.get("CSATLAS_CHROMIUM") or None,
    ).server
    # Dash registers its scripts during the first request and answers those that come meanwhile with an error: so the first one is ours.
    server.test_client().get("/", environ_overrides={WARM_UP: True})
    return server
