"""Served as the product is: Django as WSGI in a few threads of one ASGI process."""

import os

from a2wsgi import WSGIMiddleware
from django.core.wsgi import get_wsgi_application

application = WSGIMiddleware(get_wsgi_application(), workers=int(os.environ["WEB_THREADS"]))
