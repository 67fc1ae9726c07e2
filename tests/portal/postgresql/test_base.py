"""A dead connection is noticed without asking the server first."""

import psycopg
import pytest
from django.db import DataError, connection, transaction

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


@pytest.mark.django_db(transaction=True)
def test_a_connection_keeps_its_prepared_cursor_and_a_new_one_has_its_own():
    for _ in range(2):
        for _ in range(2):
            with connection.prepared_cursor() as cursor:
                cursor.execute("SELECT %s::int", [7])
                assert cursor.fetchall() == [(7,)]
        with connection.prepared_cursor() as again:
            assert again.cursor is cursor.cursor
        connection.close()


def test_a_statement_that_failed_does_not_spoil_the_next(db):
    for number, answer in ((0, None), (1, [(1,)])):
        try:
            with transaction.atomic(), connection.prepared_cursor() as cursor:
                cursor.execute("SELECT 1 / %s::int", [number])
                found = cursor.fetchall()
        except DataError:
            found = None
        assert found == answer
