"""Served as the product is: Django as WSGI in a few threads of one ASGI process."""

from bench.floor.asgi import application

__all__ = ["application"]
