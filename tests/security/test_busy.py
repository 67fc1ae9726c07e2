"""A lock held for long: others go on, and who waits is told to come again (abuse-cases.md 184 and 185)."""

import time
from collections.abc import Iterator

import pytest

from tests.security.conftest import start
from tests.serving import Portal, press

pytestmark = pytest.mark.live


@pytest.fixture(params=["sqlite", "postgresql"])
def impatient(request: pytest.FixtureRequest) -> Iterator[Portal]:
    portal = start(request.param, processes=2, LOCK_SECONDS="1")
    yield portal
    try:
        assert portal.broken_invariants() == []
    finally:
        portal.stop()


def test_a_lock_held_for_long_is_503_and_the_same_form_succeeds_afterwards(impatient: Portal):
    portal = impatient
    browser = portal.browser()
    page = portal.password(browser, "owner")
    form = {"response": press("owner", page.question)}
    everything = "BEGIN" if portal.kind == "postgresql" else "BEGIN IMMEDIATE"
    with portal.connection() as other:
        other.execute(everything)
        if portal.kind == "postgresql":
            other.execute("SELECT id FROM sls_challenge FOR UPDATE")
        began = time.monotonic()
        answer = browser.post(page.path, form)
        took = time.monotonic() - began
        if portal.kind == "postgresql":  # rows are locked there, not the database
            portal.log_in("stranger")
        reading = portal.browser().get("/login/").status
        other.execute("ROLLBACK")

    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert took < 5
    assert "database is locked" not in answer.text
    assert "Traceback" not in answer.text
    assert reading == 200
    done = browser.post(page.path, form)
    assert done.location == "/"


def test_a_database_that_has_gone_is_503_and_comes_back(impatient: Portal):
    if impatient.kind != "postgresql":
        pytest.skip("SQLite does not go away")
    portal = impatient
    browser = portal.log_in("owner")
    hangs_up = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    portal.sql(hangs_up)
    statuses = {browser.get("/settings/").status for _ in range(8)}
    assert statuses <= {200, 503}
    assert browser.get("/settings/").status == 200
