"""A dead connection is noticed without asking the server first."""

import psycopg
import pytest
from django.db import connection

pytestmark = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="PostgreSQL only: python -m tests.on_postgresql"
)


def test_an_idle_connection_is_usable_without_a_query(db, monkeypatch):
    connection.ensure_connection()

    def asked(*args: object) -> None:
        pytest.fail("the server was asked")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "wait", asked)
        assert connection.is_usable()


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_has_ended_is_not_usable():
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    with psycopg.connect(connection.connection.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert not connection.is_usable()
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_a_notice_that_waits_makes_it_ask_and_find_the_connection_good(db):
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("LISTEN something")
        cursor.execute("NOTIFY something")
    assert connection.is_usable()
