"""The product's application, with one kind of row to wait for: a table that only this benchmark has."""

from portal.asgi import application

from django.db import connection  # isort: skip (Django is set up above)
from portal.live import readers  # isort: skip

__all__ = ["application"]


def _is_done(key: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM bench_waiting WHERE id = %s AND done", [int(key)])
        return cursor.fetchone() is not None


readers.watch("bench", _is_done)
