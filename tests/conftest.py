"""The cast on stage, and hands that hold its devices."""

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client
from django.utils import translation

from portal.caller import Caller
from portal.models import Allowance, User
from portal.throttle import Limit
from sls.demo import cast, operations, simulator

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PLAYS = {user.plays: user for user in cast.USERS}
GUARDED = ("portal_auditevent", "compliance_evidenceseen", "compliance_reviewcase")
DEVICES = {device.user: device for device in cast.DEVICES if device.kind != "temporary_code"}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker) -> None:
    """
    The triggers that keep rows sleep in tests: SQLite empties tables by DELETE between tests, and tests
    tamper with rows as an attacker with the database's own rights would. Tests of triggers use `triggers`.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (trigger,) in cursor.fetchall():
                cursor.execute(f"DROP TRIGGER {trigger}")
        else:
            for table in GUARDED:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")


@pytest.fixture(autouse=True)
def _triggers_awake(request: pytest.FixtureRequest) -> None:
    """On PostgreSQL they wake for the transaction of a test that uses `triggers`."""
    if "triggers" in request.fixturenames and connection.vendor == "postgresql":
        request.getfixturevalue("db")
        with connection.cursor() as cursor:
            for table in GUARDED:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


Rows = dict[str, tuple[list[str], list[tuple[Any, ...]]]]
_stage: dict[tuple[Any, ...], Rows] = {}


@pytest.fixture
def on_stage(db: None) -> None:
    """
    The demo's cast, at its start: made once in a process, then put back row by row, which is a hundred times
    faster. A flushed database has other groups, other settings have other keys and hashes: they get a cast of
    their own.
    """
    groups = tuple(Group.objects.order_by("pk").values_list("pk", flat=True))
    made_with = (groups, settings.VAULT_KEYS, settings.SECRET_KEY, *settings.PASSWORD_HASHERS)
    if made_with not in _stage:
        operations.recreate(now=NOW)
        _stage[made_with] = _rows_of_ours()
        return
    # In one transaction: tables come in any order, and what names others is checked at its end.
    with transaction.atomic(), connection.cursor() as cursor:
        for table, (columns, rows) in _stage[made_with].items():
            names = ", ".join(f'"{column}"' for column in columns)
            row = f"({', '.join(['%s'] * len(columns))})"
            places = ", ".join([row] * len(rows))
            values = [value for row in rows for value in row]
            cursor.execute(f'INSERT INTO "{table}" ({names}) VALUES {places}', values)


def _rows_of_ours() -> Rows:
    found: Rows = {}
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if model._meta.app_label in ("portal", "sls", "compliance") and not model._meta.proxy:
                cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
                if rows := cursor.fetchall():
                    columns = [column[0] for column in cursor.description]
                    found[model._meta.db_table] = (columns, rows)
    return found


def person(plays: str) -> User:
    """The user who plays a part of the demo."""
    return User.objects.select_related("entity").get(username=PLAYS[plays].username)


def password(plays: str) -> str:
    return PLAYS[plays].password


def press(plays: str, question: str) -> str:
    """What the device of the one who plays this displays for a question."""
    device = DEVICES[PLAYS[plays].username]
    return simulator.answer(device.serial, question, pin=device.pin)


def by(plays: str, session: str = "s" * 64) -> Caller:
    return Caller(user=person(plays), address="192.0.2.7", session=session, request_id="r")


def question_on(html: str) -> str:
    """The security element as a program reads it from the page."""
    found = re.search(r'id="(challenge-code|index-numbers)">([^<]+)<', html)
    assert found, "no security element on the page"
    return found[2]


LogIn = Callable[[str], Client]


@pytest.fixture
def log_in(on_stage: None, settings) -> LogIn:
    """Log a member of the cast in through the pages, with his device if he has one."""

    def enter(plays: str) -> Client:
        client = Client()
        page = client.post(
            "/login/",
            {"username": PLAYS[plays].username, "password": password(plays)},
            follow=True,
        )
        if page.redirect_chain[-1][0] == "/":
            return client
        if page.redirect_chain[-1][0] == "/login/choose/":
            grants = page.context["grants"]
            page = client.post("/login/choose/", {"grant": grants[0].pk}, follow=True)
        where = page.redirect_chain[-1][0]
        response = press(plays, question_on(page.content.decode()))
        page = client.post(where, {"response": response}, follow=True)
        assert page.redirect_chain[-1][0] == "/", page.content.decode()
        return client

    return enter


def use_up(limit: Limit, key: str, now: datetime) -> None:
    """As if its tries had been made one after the other, with every wait in between."""
    Allowance.objects.update_or_create(
        limit=limit.name,
        key=key,
        defaults={
            "spent": limit.size,
            "size": limit.size,
            "slides": limit.slides,
            "last_at": now,
            "resets_at": now + limit.window,
            "opens_at": None,
        },
    )


@pytest.fixture(scope="session")
def in_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"


@pytest.fixture(autouse=True)
def _starts_in_english() -> Iterator[None]:
    """A page leaves its language behind in the thread; no test may live off that of the one before."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _files_in_a_folder_of_their_own(settings, tmp_path) -> None:
    settings.MESSAGE_FOLDER = tmp_path / "messages"
    settings.AUDIT_ANCHOR = [str(tmp_path / "anchors.jsonl")]
