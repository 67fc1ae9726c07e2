"""
The demo starts anew: what the desk keeps about its cast is forgotten.

Nothing else deletes these rows; the database refuses it. Only `manage.py demo` comes here, which keeps away
from databases with real users outside demo mode.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from portal.models import User
from sls.models import ReviewPolicy, ShareRequest

from .models import EvidenceSeen, ReviewCase

TABLES = [model._meta.db_table for model in (EvidenceSeen, ReviewCase, ReviewPolicy)]


def forget(cast: QuerySet[User]) -> None:
    """Cases about requests of the `cast`, and policies that it made, in the caller's transaction."""
    shares = ShareRequest.objects.filter(requester__in=cast)
    cases = ReviewCase.objects.filter(share__in=shares)
    policies = ReviewPolicy.objects.filter(made_by__in=cast)
    if cases.exists() or policies.exists():
        with _triggers_asleep():
            EvidenceSeen.objects.filter(case__in=cases).delete()
            cases.delete()
            ShareRequest.objects.filter(policy__in=policies).update(policy=None)
            policies.delete()


@contextmanager
def _triggers_asleep() -> Iterator[None]:
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        if sqlite:
            known = _triggers(cursor)
            for name, _sql in known:
                cursor.execute(f"DROP TRIGGER {name}")
        else:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # checks that are due are in the way
            _alter(cursor, "DISABLE")
        yield
        if sqlite:
            for _name, sql in known:
                cursor.execute(sql)
        else:
            _alter(cursor, "ENABLE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _triggers(cursor: Any) -> list[tuple[str, str]]:
    cursor.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN (%s, %s, %s)",
        TABLES,
    )
    found: list[tuple[str, str]] = cursor.fetchall()
    return found


def _alter(cursor: Any, what: str) -> None:
    for table in TABLES:
        cursor.execute(f"ALTER TABLE {table} {what} TRIGGER USER")
