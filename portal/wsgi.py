"""
Django as a WSGI application, with the collected static files beside it.

The files are served before Django sees the request: servestatic's middleware is asynchronous and would cost
every page an event loop.
"""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from servestatic.base import Headers
from servestatic.wsgi import ServeStatic

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

HASHED_NAME = r"^.+\.[0-9a-f]{12}\..+$"


def _add_headers(headers: Headers, path: str, url: str) -> None:
    from portal.middleware import HEADERS

    for name, value in HEADERS.items():
        headers[name] = value


application = ServeStatic(
    get_wsgi_application(),
    root=settings.STATIC_ROOT,
    prefix=settings.STATIC_URL,
    immutable_file_test=HASHED_NAME,
    add_headers_function=_add_headers,
    allow_all_origins=False,
)
