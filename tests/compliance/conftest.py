"""Triggers on demand."""

from importlib import import_module

import pytest
from django.db import connection


@pytest.fixture
def triggers(db):
    """The triggers of the migration, which the tests' set-up takes away on SQLite."""
    if connection.vendor == "sqlite":
        migration = import_module("compliance.migrations.0002_decided_is_final")
        with connection.cursor() as cursor:
            for statement in migration.SQLITE:
                cursor.execute(statement)
    yield
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for statement in migration.UNDO["sqlite"]:
                cursor.execute(statement)
