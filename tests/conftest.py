"""The cast on stage, and hands that hold its devices."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client

from portal.caller import Caller
from portal.models import Allowance, User
from portal.throttle import Limit
from sls.demo import cast, operations, simulator

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PLAYS = {user.plays: user for user in cast.USERS}
DEVICES = {device.user: device for device in cast.DEVICES if device.kind != "temporary_code"}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker) -> None:
    """
    The audit triggers sleep in tests: SQLite empties tables by DELETE between tests, and tests tamper with
    rows as an attacker with the database's own rights would. Tests of the triggers use `triggers`.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for trigger in ("audit_no_update", "audit_no_delete"):
                cursor.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        else:
            cursor.execute("ALTER TABLE portal_auditevent DISABLE TRIGGER audit_no_change")


@pytest.fixture(autouse=True)
def _triggers_awake(request: pytest.FixtureRequest) -> None:
    """On PostgreSQL they wake for the transaction of a test that uses `triggers`."""
    if "triggers" in request.fixturenames and connection.vendor == "postgresql":
        request.getfixturevalue("db")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE portal_auditevent ENABLE TRIGGER audit_no_change")


@pytest.fixture
def on_stage(db: None) -> None:
    """The demo's cast, at its start."""
    operations.recreate(now=NOW)


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


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "live: starts a real portal with all its processes")


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
def _messages_in_a_folder_of_their_own(settings, tmp_path) -> None:
    settings.MESSAGE_FOLDER = tmp_path / "messages"
