"""What uvicorn serves: Django in a few threads. Why so: docs/adr/0003-wsgi-inside-asgi.md."""

import os

from a2wsgi import WSGIMiddleware

from .wsgi import application as django_app

THREADS = int(os.environ.get("WEB_THREADS", "4"))

application = WSGIMiddleware(django_app, workers=THREADS)  # type: ignore[arg-type]
