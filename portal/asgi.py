"""
What uvicorn serves: Django in a few threads, and beside it the streams of browsers that wait. Why so:
docs/adr/0003-wsgi-inside-asgi.md and 0009-streams-beside-django.md.
"""

import os

from a2wsgi import WSGIMiddleware

from .wsgi import application as django_app

from .live.stream import PREFIX, Receive, Scope, Send, Streams  # isort: skip (Django is set up above)

THREADS = int(os.environ.get("WEB_THREADS", "4"))

pages = WSGIMiddleware(django_app, workers=THREADS)  # type: ignore[arg-type]
streams = Streams()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http" and scope["path"].startswith(PREFIX):
        await streams(scope, receive, send)
    else:
        await pages(scope, receive, send)  # type: ignore[arg-type]
